"""An RTSP server on 127.0.0.1 for tests: run by the system's Python, which has ``gi``. Prints its port, then serves.

python3 gstreamer_rtsp_server.py [USER PASSWORD]
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

Gst.init(None)
server = GstRtspServer.RTSPServer.new()
server.set_address("127.0.0.1")
server.set_service("0")
FORMAT = "video/x-raw,format=I420,width=320,height=240,framerate=25/1"
H264 = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=50 ! rtph264pay"
SOUND = "audiotestsrc is-live=true ! mulawenc ! rtppcmupay name=pay1"
for path, encoder, sound in (
    ("/h264", H264, ""),
    ("/h264-with-sound", H264, SOUND),  # where only one of both is taken, this server may send no reports of time
    ("/jpeg", "jpegenc ! rtpjpegpay", SOUND),
    ("/sound", "", "audiotestsrc is-live=true ! mulawenc ! rtppcmupay name=pay0"),
):
    picture = f"videotestsrc is-live=true pattern=ball ! {FORMAT} ! {encoder} name=pay0 pt=96" if encoder else ""
    factory = GstRtspServer.RTSPMediaFactory.new()
    factory.set_launch(f"( {picture} {sound} )")
    factory.set_shared(True)
    if len(sys.argv) > 2:
        access = GstRtspServer.RTSPPermissions()
        access.add_permission_for_role("user", "media.factory.access", True)
        access.add_permission_for_role("user", "media.factory.construct", True)
        factory.set_permissions(access)
    server.get_mount_points().add_factory(path, factory)
if len(sys.argv) > 2:
    auth = GstRtspServer.RTSPAuth.new()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(sys.argv[1], sys.argv[2]), token)
    server.set_auth(auth)
server.attach(None)
sys.stdout.write(f"{server.get_bound_port()}\n")
sys.stdout.flush()
GLib.MainLoop().run()
