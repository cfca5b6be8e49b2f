"""SOURCE on the command line and in ``stream()``: where frames come from.

0, /dev/video0                      a camera; 0#size=720x1280&fps=30 with its options
rtsp://user:password@camera/stream  a camera on the network; its options: #transport=udp&timeout=5
http://camera/video.mjpg, https://host/drive.mp4, https://host/live.m3u8    MJPEG, a video file, HLS
drive.mp4, photo.jpg, photos/       a video, an image, a folder of images; file:///... likewise
csi://0                             a Jetson's CSI camera; csi://0#size=720x1280&fps=30&flip=rotate-180&timeout=5
gst://v4l2src ! jpegdec             a pipeline of the system's GStreamer
drive.mp4#loop=true&fps=5           again from the start whenever it ends, 5 frames a second
-, a named pipe                     a video stream that another program writes
synthetic://street?seed=3&size=480x640&frames=200&fps=25    a rendered drive with exact labels

Every source takes ``#roi=TOP,LEFT,HEIGHTxWIDTH`` and ``#flip=horizontal`` (``vertical``, ``rotate-180``, ``clockwise``,
``counterclockwise``). What opens each kind is in ``registry``; a new kind is a line there.
"""

from __future__ import annotations

from fcn_edge.runtime.sources.base import Connection, EndOfSource, FileConnection, Picture, State
from fcn_edge.runtime.sources.registry import OPENERS, SourceAddress, open_source

__all__ = [
    "OPENERS",
    "Connection",
    "EndOfSource",
    "FileConnection",
    "Picture",
    "SourceAddress",
    "State",
    "open_source",
]
