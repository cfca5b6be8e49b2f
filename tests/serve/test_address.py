"""Where the live page listens."""

from __future__ import annotations

import pytest

from fcn_edge.errors import UsageError
from fcn_edge.serve.address import PageAddress


@pytest.mark.parametrize(
    ("text", "host", "port", "is_loopback"),
    [
        ("http://:8080", "127.0.0.1", 8080, True),
        ("http://:8080/", "127.0.0.1", 8080, True),
        ("HTTP://localhost:0", "127.0.0.1", 0, True),
        ("http://127.0.0.1:65535", "127.0.0.1", 65535, True),
        ("http://127.9.9.9:80", "127.9.9.9", 80, True),
        ("http://[::1]:8080", "::1", 8080, True),
        ("http://[::ffff:127.0.0.1]:8080", "127.0.0.1", 8080, True),
        ("http://0.0.0.0:8080", "0.0.0.0", 8080, False),
        ("http://[::]:8080/", "::", 8080, False),
        ("http://[::ffff:10.0.0.1]:8080", "10.0.0.1", 8080, False),
        ("http://192.168.1.5:8080", "192.168.1.5", 8080, False),
    ],
)
def test_an_address_is_taken_apart(text: str, host: str, port: int, is_loopback: bool) -> None:
    assert PageAddress.of(text) == PageAddress(host, port, (), is_loopback)


def test_further_names_are_an_option() -> None:
    assert PageAddress.of("http://:80#host=Cam.Example,hall-2, hall-2").hosts == ("cam.example", "hall-2")
    assert PageAddress.of("http://:80/#host=cam.example").hosts == ("cam.example",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("https://:8080", "asks for https"),
        ("ws://:8080", "no address of a live page"),
        (":8080", "no address of a live page"),
        ("http://:8080/page", "goes on behind the port"),
        ("http://:8080?token=a", "goes on behind the port"),
        ("http://:8080#title=a", "goes on behind the port"),
        ("http://me:secret@:8080", "names a user"),
        ("http://", "names no port"),
        ("http://:", "names no port"),
        ("http://0.0.0.0", "names no port"),
        ("http://:99999", "no number from 0 to 65535"),
        ("http://:-1", "no number from 0 to 65535"),
        ("http://:8080:8081", "no number from 0 to 65535"),
        ("http://:٨٠٨٠", "no number from 0 to 65535"),
        ("http://:80 80", "no number from 0 to 65535"),
        ("http://cam.example:8080", "an IP address of this machine"),
        ("http://192.168.1:8080", "an IP address of this machine"),
        ("http://0x7f.1:8080", "an IP address of this machine"),
        ("http://[fe80::1%eth0]:8080", "an IP address of this machine"),
        ("http://[]:8080", "an IP address of this machine"),
        ("http://[127.0.0.1]:8080", "an IP address of this machine"),
        ("http://[::1:8080", "no address of a live page"),
        ("http://::1:8080", "no number from 0 to 65535"),
        ("http://:8080#host=", "names such as cam.example"),
        ("http://:8080#host=a:80", "names such as cam.example"),
        ("http://:8080#host=*", "names such as cam.example"),
        ("http://:8080#host=a.", "names such as cam.example"),
        ("http://:8080#host=" + "a" * 64, "names such as cam.example"),
        ("http://:8080#host=" + ",".join(f"n{number}" for number in range(33)), "at most 32 names"),
        ("http://:8080#host=a&host=b", "twice"),
    ],
)
def test_what_is_no_address_is_refused_in_a_sentence(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        PageAddress.of(text)
    assert caught.value.fix
    assert "secret" not in str(caught.value)
