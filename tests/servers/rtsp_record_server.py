"""An RTSP server that takes a stream (RECORD), as a process of its own. Needs gst-rtsp-server and gi.

    /usr/bin/python3 rtsp_record_server.py --out FILE [--port N] [--user U --password P]

Standard output is one line, ``ready PORT``. What comes at ``/in`` is appended to the file, as H.264 in Annex B; beside
it ``FILE.log`` gets a line for each session, ``session``, and one for each access unit: its time in nanoseconds. It
ends when its standard input does.
"""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstApp, GstRtsp, GstRtspServer  # noqa: E402 (GstApp types appsink)

LAUNCH = (
    "( rtph264depay name=depay0 ! h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au "
    "! appsink name=out emit-signals=true sync=false )"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--user")
    parser.add_argument("--password", default="")
    options = parser.parse_args()
    Gst.init(None)
    out = Path(options.out).open("ab", buffering=0)  # noqa: SIM115 (until the process ends)
    log = Path(f"{options.out}.log").open("a", buffering=1)  # noqa: SIM115
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(options.port))
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
    factory.set_launch(LAUNCH)
    factory.set_latency(50)

    def arrived(sink: GstApp.AppSink) -> Gst.FlowReturn:
        buffer = sink.emit("pull-sample").get_buffer()
        out.write(buffer.extract_dup(0, buffer.get_size()))
        log.write(f"{buffer.pts}\n")
        return Gst.FlowReturn.OK

    def configured(_: object, media: GstRtspServer.RTSPMedia) -> None:
        log.write("session\n")
        media.get_element().get_child_by_name("out").connect("new-sample", arrived)

    factory.connect("media-configure", configured)
    if options.user:
        auth = GstRtspServer.RTSPAuth()
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "user")
        auth.add_digest(options.user, options.password, token)
        server.set_auth(auth)
        permissions = GstRtspServer.RTSPPermissions()
        for what in ("access", "construct"):
            permissions.add_permission_for_role("user", f"media.factory.{what}", True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory("/in", factory)
    if server.attach(None) == 0:
        sys.exit(f"port {options.port} is taken")
    sys.stdout.write(f"ready {server.get_bound_port()}\n")
    sys.stdout.flush()
    loop = GLib.MainLoop()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.quit()), daemon=True).start()
    loop.run()


if __name__ == "__main__":
    main()
