from __future__ import annotations

import time

import pytest

from fcn_edge.io.redaction import prose_without_passwords, without_passwords


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("There is no 'rtsp:/u:secret@x/images'.", "There is no 'rtsp:/u:***@x/images'."),
        ("There is no /home/me/rtsp:/u:secret@x.", "There is no /home/me/rtsp:/u:***@x."),
        ("open('rtsp://u:my secret@x')\nin a@b", "open('rtsp://u:***@x')\nin a@b"),
        ("GET http:/x/?usr=a&pswd=secret failed", "GET http:/x/?usr=a&pswd=*** failed"),
        ("See https://secret@x/y, please", "See https://***@x/y, please"),
        ("rtsp://u:***@x is lost. See rtsp://u:***@x/y.", "rtsp://u:***@x is lost. See rtsp://u:***@x/y."),
        ("https://***@x is lost. See rtsp://u:my secret@x.", "https://***@x is lost. See rtsp://u:***@x."),
        ("rtsp://u:***@secret@x is lost.", "rtsp://u:***@x is lost."),
        ("rtsp://u:***@secret or more@x", "rtsp://u:***@x"),
        ("rtsp://u:***@x: no login for admin:secret@x", "rtsp://u:***@x"),
        ("rtsp://u:***@x;http://b:my secret@y is lost", "rtsp://u:***@y is lost"),
        ("['rtsp://u:***@x','rtsp://u:my secret@y']", "['rtsp://u:***@y']"),
        ("rtsp://u:***@x is lost.\nSee a@b.", "rtsp://u:***@x is lost.\nSee a@b."),
    ],
)
def test_prose_hides_the_passwords_of_addresses(text: str, shown: str) -> None:
    assert prose_without_passwords(text) == shown


def test_prose_keeps_its_words() -> None:
    text = "Cannot connect to rtsp://me:secret@cam/x?channel=1: it failed.\nSee me@example.com, at 10:30, or x://y."
    shown = "Cannot connect to rtsp://me:***@cam/x?channel=1: it failed.\nSee me@example.com, at 10:30, or x://y."
    assert prose_without_passwords(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://x/?a=b_secret=c", "http://x/?a=b_secret=***"),
        (
            "http://x/?monkey=1&design=2&api-key=3&x.key=4&akey=5",
            "http://x/?monkey=1&design=2&api-key=***&x.key=***&akey=5",
        ),
        ("http://x/?my_pw = 'a b'&sig=\"c d\"&author=e", "http://x/?my_pw = ***&sig=***&author=***"),
        ("x" * 50 + "://u:secret@h", "x" * 50 + ":***@h"),
    ],
)
def test_values_whose_name_speaks_of_a_secret_are_hidden(text: str, shown: str) -> None:
    assert without_passwords(text) == shown


def test_no_text_takes_time_by_the_square() -> None:
    begin = time.process_time()
    for text in (
        "a" * 100_000,
        "_pass" * 20_000,
        "http://x?" + "pass_" * 20_000,
        "http://x?" + ":" * 100_000,
        "a= " * 30_000,
        "http:/ " * 30_000,
        "a@b " + "http:/ " * 30_000,
    ):
        prose_without_passwords(text)
    assert time.process_time() - begin < 20, "it takes a tenth of a second; by the square it would be minutes"
