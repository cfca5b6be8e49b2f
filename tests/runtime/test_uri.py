from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import pytest

from fcn_edge.errors import UsageError
from fcn_edge.io.redaction import without_passwords
from fcn_edge.runtime.uri import Uri, frame_size_from_text

KEYS = ("fps", "size", "seed")


@pytest.mark.parametrize("text", ["0", "drive.mp4", "a:b.mp4", "what?.png", "/dev/video0", "C:\\x", "1://x", "", "-"])
def test_what_has_no_scheme_is_a_place_as_it_stands(text: str) -> None:
    uri = Uri.parse(text)
    assert uri == Uri(text, "", text, {})
    assert uri.place == text


def test_takes_a_uri_apart() -> None:
    uri = Uri.parse("Synthetic://street?seed=3&size=480x640", KEYS)
    assert (uri.scheme, uri.place, dict(uri.options)) == ("synthetic", "street", {"seed": "3", "size": "480x640"})
    assert Uri.parse("file:///tmp/a%20b.mp4").place == "/tmp/a b.mp4"
    assert Uri.parse("file:///tmp/what?.png").place == "/tmp/what?.png"
    assert Uri.parse("v4l2:///dev/video0#fps=30", KEYS).place == "/dev/video0"


@pytest.mark.parametrize(
    ("text", "location", "options"),
    [
        ("a.mp4#fps=5", "a.mp4", {"fps": "5"}),
        ("a.mp4#fps=5&size=4x4", "a.mp4", {"fps": "5", "size": "4x4"}),
        ("a.mp4#fps=", "a.mp4", {"fps": ""}),
        ("a#b#fps=5", "a#b", {"fps": "5"}),
        ("a#fps=5#fps=6", "a#fps=5", {"fps": "6"}),
        ("x://h/p?fps=5#size=4x4", "x://h/p?fps=5", {"size": "4x4"}),
        ("x://h/p#fps=5&other=1", "x://h/p#fps=5&other=1", {}),
        ("x://h/p#fps", "x://h/p#fps", {}),
        ("x://h/p#", "x://h/p#", {}),
        ("x://h/p%23%2F?q=%41+b#", "x://h/p%23%2F?q=%41+b#", {}),
        ("gst://src ! sink#fps=5", "gst://src ! sink#fps=5", {}),
    ],
)
def test_options_stand_behind_the_last_hash_and_are_all_ours(text: str, location: str, options: dict[str, str]) -> None:
    uri = Uri.parse(text, KEYS)
    assert (uri.location, dict(uri.options)) == (location, options)


def test_a_file_of_the_whole_name_has_no_options(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4#fps=5"
    assert Uri.parse(str(path), KEYS).options
    path.touch()
    assert not Uri.parse(str(path), KEYS).options
    assert not Uri.parse(f"file://{path}", KEYS).options


def test_options_are_read_and_unknown_ones_refused() -> None:
    readers = {"seed": int, "size": frame_size_from_text}
    assert Uri.parse("x://y#seed=3&size=480x640", KEYS).read_options(readers) == {"seed": 3, "size": (480, 640)}
    with pytest.raises(UsageError, match=r"no option 'fps'.*seed, size"):
        Uri.parse("x://y#fps=3", KEYS).read_options(readers)
    with pytest.raises(UsageError, match=r"no option 'fps'.*takes none"):
        Uri.parse("x://y#fps=3", KEYS).read_options({})
    with pytest.raises(UsageError, match="seed=three"):
        Uri.parse("x://y#seed=three", KEYS).read_options(readers)
    with pytest.raises(UsageError, match="size="):
        Uri.parse("x://y#size=", KEYS).read_options(readers)
    with pytest.raises(UsageError, match="'seed' twice"):
        Uri.parse("x://y#seed=1&seed=2", KEYS)


SECRETS = [
    "rtsp://user:secret@cam/x?channel=1",
    "rtsp://user:secret@127.0.0.1:1/x?channel=1#fps=5",
    "RTSP://user:secret@[::1]:554/x",
    "rtsp://user%3Asecret@cam/x",
    "rtsp://user:@secret@cam/x",
    "rtsp://user:1/secret@cam/x",
    "rtsp://user:1#secret@cam/x",
    "rtsp://user:1?secret@cam/x",
    "rtsp://user:secret@cam/a@b",
    "http://cam/video?user=me&password=secret",
    "http://cam/video?user=me&PWD=secret&x=1",
    "http://cam/video?password=secret#secret",
    "http://cam/video?usr=me&pswd=secret",
    "http://cam/video?usr=me&psw=secret",
    "rtsp://user:my secret@cam/x",
    "http://cam/video?access_token=secret",
    "http://cam/video?api_key=secret&key=secret",
    "rtsp://cam:554/user=admin_password=secret_channel=1_stream=0.sdp",
    "gst://rtspsrc location=rtsp://u:secret@cam/x ! decodebin",
    "gst://rtspsrc location=rtsp://cam/x user-id=me user-pw=secret ! decodebin",
    'gst://rtspsrc location=rtsp://cam/x user-id=me user-pw="top secret" ! decodebin',
    "rtsp:/user:secret@cam/x",
    "rtsp://secret@cam/x",
    "v4l2://user:p#size=secret@cam/x",
    "user:secret@cam/x",
]


@pytest.mark.parametrize("text", SECRETS)
def test_nothing_that_is_printed_shows_a_password(text: str) -> None:
    uri = Uri.parse(text, KEYS)
    shown = f"{uri} {uri!r} {uri.text} {without_passwords(text)}"
    assert "secret" not in shown
    assert "***" in uri.text
    with pytest.raises(UsageError) as error:
        dataclasses.replace(uri, options={"a": "b"}).read_options({})
    assert "secret" not in str(error.value)
    # whoever connects gets all of it
    assert uri.location == text.removesuffix("#fps=5")
    assert pickle.loads(pickle.dumps(uri)) == uri


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://user:secret@cam:554/x?channel=1", "rtsp://user:***@cam:554/x?channel=1"),
        ("rtsp://user@cam/x", "rtsp://***@cam/x"),
        ("http://cam/x@2", "http://cam/x@2"),
        ("udp://@:5000", "udp://@:5000"),
        ("rtsp://cam:554/x?channel=1&subtype=0", "rtsp://cam:554/x?channel=1&subtype=0"),
        ("http://cam/x?token=abc&channel=1", "http://cam/x?token=***&channel=1"),
        ("http://cam/x?keyframe=1&monkey=2", "http://cam/x?keyframe=1&monkey=2"),
        ("synthetic://street?seed=3", "synthetic://street?seed=3"),
        ("drive.mp4", "drive.mp4"),
    ],
)
def test_the_rest_of_an_address_is_shown(text: str, shown: str) -> None:
    assert str(Uri.parse(text)) == shown


def test_the_name_of_a_file_is_shown_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "10:30@gate.mp4"
    path.touch()
    assert str(Uri.parse(str(path))) == str(path)


def test_an_address_that_is_no_utf8_is_refused_without_its_password() -> None:
    for letter in "\udcfe", "\ud800":
        with pytest.raises(UsageError, match=r"in\\ud.* is not UTF-8") as caught:
            Uri.parse(f"rtsp://me:secret@camera/in{letter}")
        assert "secret" not in str(caught.value)
    assert Uri.parse("in\udcfe.mp4").location == "in\udcfe.mp4", "the name of a file may be any bytes"


def test_an_address_is_frozen_and_can_be_a_key() -> None:
    uri = Uri.parse("x://y#seed=3", KEYS)
    assert {uri: 1}[Uri.parse("x://y#seed=3", KEYS)] == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        uri.text = "z"  # type: ignore[misc]


@pytest.mark.parametrize("text", ["480", "480x", "x640", "0x640", "480x0", "-1x3", "4.5x3", "480x99999", "a"])
def test_what_is_no_frame_size(text: str) -> None:
    with pytest.raises(ValueError, match="480x640"):
        frame_size_from_text(text)
