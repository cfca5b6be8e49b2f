"""Addresses of RTSP sinks, and what they are called for one of several sources."""

from __future__ import annotations

import pytest

from fcn_edge.errors import UsageError
from fcn_edge.runtime.sinks import checked_sinks, of_source
from fcn_edge.runtime.sinks.registry import OPTIONS, is_stream
from fcn_edge.runtime.sinks.rtsp.address import RtspAddress
from fcn_edge.runtime.uri import Uri


def address(text: str) -> RtspAddress:
    return RtspAddress.of(Uri.parse(text, OPTIONS))


@pytest.mark.parametrize(
    ("text", "host", "loopback", "url"),
    [
        ("rtsp://:8554/street", "127.0.0.1", True, "rtsp://127.0.0.1:8554/street"),
        ("rtsp://0.0.0.0:8554/a/b.c~1", "0.0.0.0", False, "rtsp://127.0.0.1:8554/a/b.c~1"),
        ("rtsp://[::]:8554/street", "::", False, "rtsp://[::1]:8554/street"),
    ],
)
def test_hosted(text: str, host: str, loopback: bool, url: str) -> None:
    found = address(text)
    assert (found.hosted, found.host, found.port, found.is_loopback) == (True, host, 8554, loopback)
    assert found.url(8554) == url


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("rtsp://user:s3cret@media.local:8554/in?x=1", "media.local", 8554),
        ("rtsp://127.0.0.1:8554/in", "127.0.0.1", 8554),
        ("rtsp://[fe80::1]/in", "fe80::1", 554),
    ],
)
def test_pushed(text: str, host: str, port: int) -> None:
    found = address(text)
    assert (found.hosted, found.host, found.port, found.is_loopback) == (False, host, port, False)
    assert found.location == text
    assert "s3cret" not in found.text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rtsp://:8554", "needs a name behind the port"),
        ("rtsp://:8554/", "needs a name behind the port"),
        ("rtsp://:8554/a/", "needs a name behind the port"),
        ("rtsp://:8554/stra\u00dfe", "needs a name behind the port"),
        ("rtsp://:8554/a?token=s3cret", "needs a name behind the port"),
        ("rtsp://:http/street", "its port or host makes no sense"),
        ("rtsp://:99999/street", "its port or host makes no sense"),
        ("rtsp://[::/street", "its port or host makes no sense"),
        ("rtsp://viewer:s3cret@0.0.0.0:8554/street", "its login cannot stand in the address"),
        ("rtsp://camera:0/street", "has the port 0"),
        ("rtsp://:8554/street#encoder=libx264", "has no option 'encoder'"),
    ],
)
def test_what_makes_no_sense(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        checked_sinks([text])  # before a model is loaded
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("rtsp://:8554/street", "rtsp://:8554/street-front"),
        ("rtsp://u:p@host:8554/in/?x=1", "rtsp://u:p@host:8554/in-front?x=1"),
    ],
)
def test_each_source_has_an_address_of_its_own(text: str, name: str) -> None:
    assert of_source(text, "front") == name


def test_what_sends_video_on() -> None:
    assert is_stream("rtsp://:8554/street")
    assert not any(map(is_stream, ("out.mp4", "-", "display", "null:")))
