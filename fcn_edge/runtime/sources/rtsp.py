"""Cameras that speak RTSP."""

from __future__ import annotations

import errno
import os
import ssl
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from typing_extensions import override

from fcn_edge.errors import SourceError
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.sources.demuxing import packets_of
from fcn_edge.runtime.sources.network import TIMEOUT, NetworkConnection
from fcn_edge.runtime.sources.tcp import Authority, connected_socket
from fcn_edge.runtime.uri import Uri

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

__all__ = ["JITTER", "RtspConnection"]

PORTS = {"rtsp": 554, "rtsps": 322}
PROTOCOLS = {"rtsp": "rtsp,rtp,srtp,udp,tcp", "rtsps": "rtsp,rtp,srtp,udp,tcp,tls"}
"""What FFmpeg may open; wherever the camera's description leads, it is no file."""
SHORTEST = 0.25
"""Seconds that FFmpeg gets for half of an opening at least."""
JITTER = 0.1
"""Seconds that a UDP packet which came early waits for those before it."""


class RtspConnection(NetworkConnection):
    """A camera that speaks RTSP, with H.264, H.265 or MJPEG. Live: a slow reader gets the newest frame.

    Args:
        address: What the user called it.
        transport: ``tcp``, through the connection that RTSP has anyway: nothing is lost, and firewalls let it through.
            ``udp``: a lost packet spoils pictures until the next keyframe, and none is late because of it.
        timeout: Seconds without a packet after which it is lost.
        fps: Frames a second to expect, where the camera does not say or says what is wrong.
        jitter: With ``udp``, seconds that a packet which came early waits for those before it.
        verify: With ``rtsps``, trust only certificates that this machine's authorities have signed.
    """

    live = True

    def __init__(
        self,
        address: Uri,
        transport: str = "tcp",
        timeout: float = TIMEOUT,
        fps: float | None = None,
        jitter: float = JITTER,
        verify: bool = True,
    ) -> None:
        super().__init__(address, timeout, fps)
        self._transport = transport
        self._jitter = jitter
        self._verify = verify

    @override
    def _container(self) -> InputContainer:
        import av

        until = time.monotonic() + self._open_timeout
        scheme = self.address.scheme
        host = Authority.of(self.address.location, self.id, PORTS[scheme])
        # FFmpeg connects without being woken, and does not tell an unknown host from any other failure
        connected_socket(host.host, host.port, until, self._stopped, self.id).close()
        # FFmpeg starts the clock twice: to open, and to learn what the stream holds
        half = max((until - time.monotonic()) / 2, SHORTEST)
        started = time.monotonic()
        # A read ends by itself only when the camera is lost. Ended earlier, and taken up again, it would now and then
        # be ended within a packet, and FFmpeg would take the rest of it for something else.
        timeout = (half, self._timeout)
        try:
            return av.open(self._url(scheme), format="rtsp", options=self._options(scheme), timeout=timeout)
        except (av.FFmpegError, ValueError) as error:
            # without what led to it, which shows the password
            raise self._refusal(error, time.monotonic() - started >= half) from None

    @override
    def _packets(self, container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
        import av

        began = self._packet_ns
        try:
            for packet in packets_of(container, stream):
                # the empty one at the end has nothing that could be decoded without the ones before
                if self._stopped() or not packet.size:
                    break
                yield packet
                began = time.monotonic_ns()
        except (av.FFmpegError, ValueError):
            pass
        if self._stopped():
            return
        # FFmpeg has many errors, and an end, for a read whose time was up
        if time.monotonic_ns() - began >= 0.9 * self._timeout * NS_PER_S:
            raise SourceError(
                f"{self.id} was lost: no packet came for {self._timeout:g} s.",
                "Check the camera's power and the network."
                + (" A firewall may hold back UDP: try #transport=tcp." if self._transport == "udp" else ""),
            )
        if container.duration is None:
            raise SourceError(f"{self.id} was lost: the camera ended the stream.", "Check the camera.")

    def _url(self, scheme: str) -> str:
        """The address, its scheme as FFmpeg writes it."""
        return scheme + self.address.location[len(scheme) :]

    def _options(self, scheme: str) -> dict[str, str]:
        options = {
            "rtsp_transport": self._transport,
            "timeout": str(round(self._timeout * 1e6)),
            "protocol_whitelist": PROTOCOLS[scheme],
            # with sound beside it, the first sender report would move the time stamps
            "allowed_media_types": "video",
            # the camera's description says what must be known; what was read to learn more would be old
            "probesize": "32",
            "analyzeduration": "0",
            "max_delay": str(round(self._jitter * 1e6)),
        }
        if scheme == "rtsps":
            # said in any case: versions of FFmpeg differ in what they do when nothing is said
            options |= {"tls_verify": "1", "ca_file": _authorities()} if self._verify else {"tls_verify": "0"}
        return options

    def _refusal(self, error: Exception, late: bool) -> SourceError:
        """What an error of FFmpeg means, in a sentence.

        Args:
            error: The error; one of many that FFmpeg gives, where it was kept waiting.
            late: The time was up.
        """
        import av

        if self._stopped():
            return SourceError(f"Connecting to {self.id} was interrupted.")
        if isinstance(error, av.error.HTTPUnauthorizedError):
            return SourceError(
                f"{self.id} wants a user and a password, or other ones.",
                "Put them before the host: rtsp://user:password@host/path.",
                persistent=True,  # a camera locks out who tries too often
            )
        if isinstance(error, av.error.HTTPForbiddenError):
            return SourceError(f"{self.id} may not be read by this user.", "Give the user that right in the camera.")
        if isinstance(error, av.error.HTTPNotFoundError):
            return SourceError(
                f"The camera of {self.id} has no such stream.", "Correct the path behind the host; the manual has it."
            )
        if isinstance(error, av.error.HTTPError) or getattr(error, "errno", 0) == errno.EPROTONOSUPPORT:
            other = "udp" if self._transport == "tcp" else "tcp"
            return SourceError(f"The camera of {self.id} refuses to play.", f"Try #transport={other}.")
        if late or isinstance(error, av.error.ExitError | av.error.TimeoutError):
            return SourceError(
                f"{self.id} took the connection and did not answer within {self._open_timeout:g} s.",
                "Check that this port is the camera's RTSP port, or start the camera anew.",
            )
        if self.address.scheme == "rtsps":
            return SourceError(
                f"{self.id} does not speak RTSP over TLS, or shows a certificate that this machine does not trust.",
                "Set SSL_CERT_FILE to the camera's certificate, or add #verify=no to the address.",
            )
        return SourceError(f"What answers at {self.id} does not speak RTSP.", "Correct the port or the path.")


def _authorities() -> str:
    """The file of the certificates that this machine trusts."""
    paths = ssl.get_default_verify_paths()
    return os.environ.get(paths.openssl_cafile_env) or paths.cafile or "/etc/ssl/certs/ca-certificates.crt"
