"""An RTSP camera as a process of its own: ``/usr/bin/python3 rtsp_server.py --port 0``. Needs gst-rtsp-server and gi.

It encodes a loop of frames once and then gives its access units out at the frame rate for as long as it runs, whether
anybody watches or not: a client comes in the middle of a group of pictures, as with a camera. Each frame carries its
number in the loop as white and black squares (``frame_number.py`` reads it). All clients share one pipeline.

Standard output is one line, ``ready PORT``. ``--log FILE`` gets one line for each access unit that left: how many left
before, its number in the loop, nanoseconds of Unix time. It ends by SIGTERM, and when its standard input ends, which is
when the process that started it ends.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstApp, GstRtsp, GstRtspServer  # noqa: E402, F401 (GstApp types appsrc and appsink)

SQUARE = 16
"""Side of a square, in pixels: a macroblock of H.264."""
BITS = 16
"""Bits of a frame's number; a white and a black square stand before them."""
WHITE, BLACK = 235, 16
CODECS = {
    "h264": (
        "x264enc tune=zerolatency speed-preset=ultrafast sliced-threads=false byte-stream=true aud=false "
        "bitrate={bitrate} key-int-max={gop} ! h264parse config-interval=-1",
        "video/x-h264,stream-format=byte-stream,alignment=au",
        "rtph264pay config-interval=0",
    ),
    "h265": (
        "x265enc tune=zerolatency speed-preset=ultrafast bitrate={bitrate} key-int-max={gop} "
        "! h265parse config-interval=-1",
        "video/x-h265,stream-format=byte-stream,alignment=au",
        "rtph265pay config-interval=0",
    ),
    "jpeg": ("jpegenc", "image/jpeg", "rtpjpegpay"),
}
"""What encodes, what comes out, and what makes RTP of it."""


def main() -> None:
    options = read_options()
    Gst.init(None)
    height, width = (int(side) for side in options.size.split("x"))
    units = encoded(options, height, width)
    log = Path(options.log).open("w", buffering=1) if options.log else None  # noqa: SIM115 (until the process ends)
    camera = Camera(units, parameter_sets(units[0], options.codec), options.fps, log)
    server = GstRtspServer.RTSPServer()
    server.set_address(options.host)
    server.set_service(str(options.port))
    factory = shared_factory(camera, options)
    if options.user or options.certificate:
        protect(server, factory, options)
    server.get_mount_points().add_factory(options.path, factory)
    if server.attach(None) == 0:
        sys.exit(f"port {options.port} is taken")
    sys.stdout.write(f"ready {server.get_bound_port()}\n")
    sys.stdout.flush()
    loop = GLib.MainLoop()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.quit()), daemon=True).start()
    GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGTERM, loop.quit)
    threading.Thread(target=camera.run, daemon=True).start()
    loop.run()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--path", default="/camera")
    parser.add_argument("--size", default="240x320", help="height x width, at least 16x288")
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--gop", type=int, default=25, help="frames from one keyframe to the next")
    parser.add_argument("--frames", type=int, default=250, help="length of the loop, at most 65536")
    parser.add_argument("--codec", choices=CODECS, default="h264")
    parser.add_argument("--bitrate", type=int, default=2000, help="kbit/s")
    parser.add_argument("--video", help="take the pictures of this file in place of a moving pattern")
    parser.add_argument("--user")
    parser.add_argument("--password", default="")
    parser.add_argument("--certificate", help="PEM of certificate and key: rtsps in place of rtsp")
    parser.add_argument("--transport", choices=["any", "tcp", "udp"], default="any")
    parser.add_argument("--log")
    return parser.parse_args()


class Camera:
    """Gives one access unit after the other to whatever pipeline there is, each at its time."""

    def __init__(self, units: list[bytes], parameters: bytes, fps: int, log: TextIO | None) -> None:
        self._units = units
        self._fps = fps
        self._log = log
        self._source: Any = None
        self._fresh = False
        self._lock = threading.Lock()
        self._parameters = parameters

    def attach(self, source: Any) -> None:
        with self._lock:
            self._source, self._fresh = source, True

    def detach(self, source: Any) -> None:
        with self._lock:
            if self._source is source:
                self._source = None

    def run(self) -> None:
        started = time.monotonic()
        count = 0
        while True:
            wait = started + count / self._fps - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            elif wait < -1:  # the process was stopped: what was not given out then is not made up for
                started = time.monotonic() - count / self._fps
            self._give(count)
            count += 1

    def _give(self, count: int) -> None:
        index = count % len(self._units)
        with self._lock:
            source, fresh = self._source, self._fresh
            self._fresh = False
        if source is None:
            return
        # between its clock and its base time, appsrc would stamp a buffer hours ahead, for which the sinks then wait
        if source.get_clock() is None or source.get_base_time() == 0:
            with self._lock:
                self._fresh = self._fresh or fresh
            return
        unit = self._units[index]
        if fresh and index:  # the description of the stream must not wait for the next keyframe
            unit = self._parameters + unit
        left = time.time_ns()
        flow = source.emit("push-buffer", Gst.Buffer.new_wrapped(unit))
        if flow == Gst.FlowReturn.OK and self._log:
            self._log.write(f"{count} {index} {left}\n")


def shared_factory(camera: Camera, options: argparse.Namespace) -> Any:
    """The one pipeline that all clients share, made when the first comes and again after the last has left."""
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_shared(True)
    _, caps, payloader = CODECS[options.codec]
    size = "" if options.codec != "jpeg" else ",height={},width={}".format(*options.size.split("x"))
    factory.set_launch(
        "( appsrc name=camera is-live=true do-timestamp=true format=time min-latency=0 "
        f"caps={caps}{size},framerate={options.fps}/1 ! {payloader} name=pay0 pt=96 )"
    )
    if options.transport != "any":
        factory.set_protocols(getattr(GstRtsp.RTSPLowerTrans, options.transport.upper()))

    def configured(_: Any, media: Any) -> None:
        source = media.get_element().get_child_by_name("camera")
        # the sinks would keep each access unit back for 20 ms (their processing-deadline)
        media.get_element().get_parent().set_latency(0)
        media.connect("unprepared", lambda _: camera.detach(source))
        camera.attach(source)

    factory.connect("media-configure", configured)
    return factory


def protect(server: Any, factory: Any, options: argparse.Namespace) -> None:
    """Let only one user in, by digest, and encrypt, as far as the options ask for it."""
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    if options.user:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(options.user, options.password, token)
    else:
        auth.set_default_token(token)
    if options.certificate:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(options.certificate))
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(permissions)


def encoded(options: argparse.Namespace, height: int, width: int) -> list[bytes]:
    """The access units of the loop, the first a keyframe with its parameter sets."""
    encoder, out, _ = CODECS[options.codec]
    caps = f"video/x-raw,format=I420,width={width},height={height},framerate={options.fps}/1"
    pipeline = Gst.parse_launch(
        f"appsrc name=in format=time block=true max-bytes={4 * height * width} caps={caps} ! "
        f"{encoder.format(bitrate=options.bitrate, gop=options.gop)} ! {out} ! appsink name=out sync=false"
    )
    source, sink = pipeline.get_by_name("in"), pipeline.get_by_name("out")
    pipeline.set_state(Gst.State.PLAYING)

    def feed() -> None:
        for index, picture in enumerate(pictures(options, height, width)):
            buffer = Gst.Buffer.new_wrapped(numbered(picture, index, height, width))
            buffer.pts = index * Gst.SECOND // options.fps
            buffer.duration = Gst.SECOND // options.fps
            source.emit("push-buffer", buffer)
        source.emit("end-of-stream")

    threading.Thread(target=feed, daemon=True).start()
    units = list(samples(sink))
    pipeline.set_state(Gst.State.NULL)
    if len(units) != options.frames:
        sys.exit(f"{len(units)} of {options.frames} frames were encoded")
    return units


def pictures(options: argparse.Namespace, height: int, width: int) -> Iterator[bytearray]:
    """I420 pictures of the loop."""
    if options.video:
        yield from video_pictures(options, height, width)
        return
    row = bytes(60 + 120 * column // width for column in range(width))
    chroma = bytes([128]) * (2 * ((height + 1) // 2) * ((width + 1) // 2))
    for index in range(options.frames):
        shift = 4 * index % width
        yield bytearray((row[shift:] + row[:shift]) * height + chroma)


def video_pictures(options: argparse.Namespace, height: int, width: int) -> Iterator[bytearray]:
    given = 0
    while given < options.frames:
        pipeline = Gst.parse_launch(
            "filesrc name=file ! decodebin ! videoconvert ! videoscale ! "
            f"video/x-raw,format=I420,width={width},height={height} ! appsink name=out sync=false max-buffers=4"
        )
        pipeline.get_by_name("file").set_property("location", options.video)
        pipeline.set_state(Gst.State.PLAYING)
        before = given
        for picture in samples(pipeline.get_by_name("out")):
            if given == options.frames:
                break
            yield bytearray(picture)
            given += 1
        pipeline.set_state(Gst.State.NULL)
        if given == before:
            sys.exit(f"{Path(options.video).name} holds no picture")


def samples(sink: Any) -> Iterator[bytes]:
    while (sample := sink.emit("pull-sample")) is not None:
        buffer = sample.get_buffer()
        yield buffer.extract_dup(0, buffer.get_size())


def numbered(picture: bytearray, index: int, height: int, width: int) -> bytes:
    """The picture with its number in the top left corner."""
    bits = [1, 0] + [index >> bit & 1 for bit in reversed(range(BITS))]
    line = b"".join(bytes([WHITE if bit else BLACK]) * SQUARE for bit in bits)
    for row in range(SQUARE):
        picture[row * width : row * width + len(line)] = line
    for plane in range(2):
        start = height * width + plane * (height // 2) * (width // 2)
        for row in range(SQUARE // 2):
            at = start + row * (width // 2)
            picture[at : at + len(line) // 2] = bytes([128]) * (len(line) // 2)
    return bytes(picture)


def parameter_sets(unit: bytes, codec: str) -> bytes:
    """The parameter sets of an access unit in Annex B; nothing where the codec has none."""
    if codec == "jpeg":
        return b""
    parts = unit.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]
    kept = (7, 8) if codec == "h264" else (32, 33, 34)
    kinds = [part[0] & 31 if codec == "h264" else part[0] >> 1 & 63 for part in parts]
    return b"".join(b"\0\0\0\1" + part for part, kind in zip(parts, kinds, strict=True) if kind in kept)


if __name__ == "__main__":
    main()
