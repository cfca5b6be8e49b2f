"""An RTSP server whose pictures come through a pipe: what runs in the child process, in the system's own Python.

    /usr/bin/python3 -I server_worker.py FD

The first record on standard input is a message with host, port and perhaps a token; then come messages that add and
remove mounts, and access units. Lines of JSON go to the descriptor: what keeps it from serving, the port, and which
mounts somebody looks at. GStreamer's Python binding, ``gi``, comes with the system and is for the system's Python only:
nothing is imported but ``gi``, the standard library of Python 3.8 and the files of ours that are made for it. It ends
when its standard input does, and so with its parent.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

# behind all others, where they hide nothing
sys.path.extend(str(Path(__file__).resolve().parents[up]) for up in (0, 2))
from gstreamer_in_child import Answers, UnbuiltError, loaded_gst
from unit_records import UNIT, read_record

__all__ = ["main"]

ELEMENTS = ("appsrc", "rtph264pay", "rtpbin", "udpsink")
LAUNCH = "( appsrc name=units ! rtph264pay name=pay0 pt=96 config-interval=0 )"
CAPS = "video/x-h264,stream-format=byte-stream,alignment=au"
MOST_BYTES = 4 << 20
"""That may wait in a pipeline: between the first client's DESCRIBE and its PLAY, nothing flows."""
STEP_NS = 1_000_000
"""Nanoseconds between two pictures, at least."""
OLDEST_NS = 10_000_000_000
"""A picture that is older than so many nanoseconds was taken by another clock."""
MOST_SESSIONS = 100
SILENT = 10
"""Seconds after which a connection ends whose session is over."""
CLEAN_EVERY = 2
"""Seconds between two looks at sessions whose clients are gone without a word."""
USER, ROLE = "viewer", "viewer"


class Mount:
    """One address of the server: a pipeline that all its clients share, made when the first comes.

    It is kept from then on, with nothing in it while nobody looks. Taken down and made again, it would refuse whoever
    comes meanwhile (503), as players do that look at a stream before they play it.

    Args:
        gst: The module ``gi.repository.Gst``.
        statuses: What states a pipeline may have.
        tell: Tells the parent whether somebody looks.
    """

    def __init__(self, gst: Any, statuses: Any, tell: Any) -> None:
        self.gst = gst
        self.statuses = statuses
        self.tell = tell
        self.source: Any = None
        self.media: Any = None
        self.held = False
        self.clients: set[Any] = set()
        self.looked_at = False
        self.last_ns = 0
        self.skipping = True
        self.lock = threading.Lock()

    def factory(self, rtsp: Any, rtsp_server: Any, protected: bool) -> Any:
        """What gst-rtsp-server makes the pipeline from."""
        factory = rtsp_server.RTSPMediaFactory()
        factory.set_launch(LAUNCH)
        factory.set_shared(True)
        factory.set_protocols(rtsp.RTSPLowerTrans.UDP | rtsp.RTSPLowerTrans.TCP)
        if protected:
            permissions = rtsp_server.RTSPPermissions()
            for what in ("access", "construct"):
                permissions.add_permission_for_role(ROLE, "media.factory." + what, True)
            factory.set_permissions(permissions)
        factory.connect("media-configure", self.configured)
        return factory

    def configured(self, _factory: Any, media: Any) -> None:
        """A pipeline was made: somebody is about to look."""
        element = media.get_element()
        source = element.get_child_by_name("units")
        source.set_property("caps", self.gst.Caps.from_string(CAPS))
        source.set_property("format", self.gst.Format.TIME)
        source.set_property("is-live", True)
        source.set_property("max-bytes", 2 * MOST_BYTES)
        # the sinks would keep each access unit back for 20 ms (their processing-deadline)
        element.get_parent().set_latency(0)
        media.connect("unprepared", lambda _: self.gone(source))
        with self.lock:
            self.source, self.media, self.held = source, media, False
            self.last_ns, self.skipping = 0, True
        self.change(True)  # there is no description of the stream before its first picture

    def gone(self, source: Any) -> None:
        """A pipeline was taken down."""
        with self.lock:
            if self.source is not source:
                return
            self.source = self.media = None
            self.clients.clear()
        self.change(False)

    def come(self, client: Any) -> None:
        """A client that may look has got the description of the stream."""
        with self.lock:
            self.clients.add(client)
            media, hold = self.media, not self.held
            self.held = True
        if hold and media is not None:
            media.prepare(None)  # one user more, who stays
        self.change(True)

    def left(self, client: Any) -> None:
        """A client is gone, which may have looked at this one."""
        with self.lock:
            self.clients.discard(client)
            if self.clients or not self.held:
                return
        self.change(False)

    def check(self) -> None:
        """Notice clients that left before they had the description, and a pipeline that failed."""
        with self.lock:
            media, nobody = self.media, not self.clients
        status = None if media is None else media.get_status()
        if status == self.statuses.ERROR:
            os._exit(1)  # the parent starts another
        if nobody and status != self.statuses.PREPARING:
            self.change(False)

    def change(self, looked_at: bool) -> None:
        """Tell the parent, where it does not know."""
        with self.lock:
            known, self.looked_at = self.looked_at == looked_at, looked_at
            self.skipping = self.skipping or not known  # the next one is of another encode
        if not known:
            self.tell(looked_at)

    def put(self, data: bytes, time_ns: int, keyframe: bool) -> None:
        """Hand an access unit on; where the pipeline takes none, all up to the next keyframe are left out."""
        with self.lock:
            source = self.source
            if source is None:
                return
            full = source.get_property("current-level-bytes") > MOST_BYTES
            self.skipping = full or (self.skipping and not keyframe)
            if self.skipping:
                return
            buffer = self.gst.Buffer.new_wrapped(data)
            self.last_ns = buffer.pts = max(self.shown_ns(source, time_ns), self.last_ns + STEP_NS)
        source.emit("push-buffer", buffer)

    def shown_ns(self, source: Any, time_ns: int) -> int:
        """When a picture is shown, in the pipeline's running time; never later than now, for which sinks would wait."""
        clock, base = source.get_clock(), source.get_base_time()
        if clock is None or not base:  # it is just being started
            return 0
        now = clock.get_time()
        return int(min(time_ns, now) if now - time_ns < OLDEST_NS else now) - int(base)

    def end(self) -> None:
        """Let its clients go."""
        with self.lock:
            source, media, held = self.source, self.media, self.held
        if source is not None:
            source.emit("end-of-stream")
            if held:
                media.unprepare()


class Server:
    """The server and its mounts. All its methods but ``put`` belong to the main loop's thread.

    Args:
        settings: ``host``, ``port`` and ``token``, None where everybody may look.
        answers: The pipe to the parent.
    """

    def __init__(self, settings: Any, answers: Answers) -> None:
        self.gst = loaded_gst()
        try:
            import gi

            gi.require_version("GstApp", "1.0")
            gi.require_version("GstRtsp", "1.0")
            gi.require_version("GstRtspServer", "1.0")
            from gi.repository import GLib, GstApp, GstRtsp, GstRtspServer  # noqa: F401 (GstApp types appsrc)
        except (ImportError, ValueError):
            raise UnbuiltError(kind="no_server") from None
        missing = [name for name in ELEMENTS if self.gst.ElementFactory.find(name) is None]
        if missing:
            raise UnbuiltError(kind="missing", elements=missing)
        self.glib, self.rtsp, self.rtsp_server = GLib, GstRtsp, GstRtspServer
        self.answers = answers
        self.mounts: dict[int, Mount] = {}
        self.paths: dict[int, str] = {}
        self.protected = settings["token"] is not None
        self.server = GstRtspServer.RTSPServer()
        self.server.set_address(settings["host"])
        self.server.set_service(str(settings["port"]))
        self.server.get_session_pool().set_max_sessions(MOST_SESSIONS)
        if self.protected:
            self.server.set_auth(self.login(settings["token"]))

    def login(self, token: str) -> Any:
        """Only who knows the token may look; by digest, so that it never crosses the network itself."""
        auth = self.rtsp_server.RTSPAuth()
        auth.set_supported_methods(self.rtsp.RTSPAuthMethod.DIGEST)
        role = self.rtsp_server.RTSPToken()
        role.set_string("media.factory.role", ROLE)
        auth.add_digest(USER, token, role)
        return auth

    def serve(self) -> None:
        """Answer clients until the process ends."""
        if self.server.attach(None) == 0:
            raise UnbuiltError(kind="unbound", code=self.why_unbound())
        self.server.connect("client-connected", self.connected)
        self.glib.timeout_add_seconds(CLEAN_EVERY, self.clean)
        threading.Thread(target=self.listen, daemon=True).start()
        self.tell(kind="serving", port=self.server.get_bound_port())
        self.glib.MainLoop().run()

    def connected(self, _server: Any, client: Any) -> None:
        """A client is there; what it may look at is not known yet."""
        if client.find_property("post-session-timeout") is not None:
            client.set_property("post-session-timeout", SILENT)
        client.connect("describe-request", self.described)
        client.connect("closed", self.closed)

    def described(self, client: Any, context: Any) -> None:
        """A client got the description of a stream."""
        path = context.uri.abspath.rstrip("/")
        for number, mount in list(self.mounts.items()):
            if self.paths.get(number) == path:
                mount.come(client)

    def closed(self, client: Any) -> None:
        """A client is gone."""
        for mount in list(self.mounts.values()):
            mount.left(client)

    def clean(self) -> bool:
        """Let go of sessions whose clients are silent, and look after the mounts."""
        self.server.get_session_pool().cleanup()
        for mount in list(self.mounts.values()):
            mount.check()
        return True

    def why_unbound(self) -> str:
        """The name of what the system says of the address."""
        from gi.repository import Gio

        try:
            self.server.create_socket(None)
        except self.glib.Error as error:
            if error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.ADDRESS_IN_USE):
                return "busy"
            if error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.PERMISSION_DENIED):
                return "forbidden"
        return "other"

    def listen(self) -> None:
        """The thread that reads what the parent sends."""
        while True:
            record = read_record(0)
            if record is None:
                os._exit(0)  # the parent is gone, or wants no more
            kind, number, time_ns, keyframe, data = record
            if kind == UNIT:
                mount = self.mounts.get(number)
                if mount is not None:
                    mount.put(data, time_ns, keyframe)
            else:
                self.glib.idle_add(self.told, number, json.loads(data))

    def told(self, number: int, message: Any) -> bool:
        """A mount comes or goes."""
        points = self.server.get_mount_points()
        if message["kind"] == "mount":
            statuses = self.rtsp_server.RTSPMediaStatus
            mount = Mount(
                self.gst, statuses, lambda looked_at: self.tell(kind="looked_at", number=number, on=looked_at)
            )
            self.mounts[number], self.paths[number] = mount, message["path"]
            points.add_factory(message["path"], mount.factory(self.rtsp, self.rtsp_server, self.protected))
            self.tell(kind="mounted", number=number)
        else:
            points.remove_factory(self.paths.pop(number))
            self.mounts.pop(number).end()
        return False

    def tell(self, **message: Any) -> None:
        """A line for the parent."""
        try:
            self.answers.write(json.dumps(message).encode() + b"\n")
        except OSError:
            os._exit(0)  # nobody reads any more


def main(fd: int) -> None:
    """Serve what standard input gives."""
    answers = Answers(fd)
    first = read_record(0)
    if first is None:
        return
    try:
        Server(json.loads(first[-1]), answers).serve()
    except UnbuiltError as error:
        answers.write(json.dumps(error.message).encode() + b"\n")


if __name__ == "__main__":
    with suppress(BrokenPipeError):  # nobody reads any more
        main(int(sys.argv[1]))
    os._exit(0)  # threads of GStreamer's plugins must not hold it up
