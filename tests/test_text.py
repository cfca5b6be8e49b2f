from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from fcn_edge.io.redaction import prose_without_passwords
from fcn_edge.text import command_line, listed, printable, quoted, whole


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, with ä and 猫", "plain, with ä and 猫"),
        ("a\nError: b\r\tc", "a\\nError: b\\r\\tc"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("abc\u202efdp.exe", "abc\\u202efdp.exe"),
        ("a\u2028b\x85c\u200bd\ufeffe\xa0f", "a\\u2028b\\x85c\\u200bd\\ufeffe\\xa0f"),
        (os.fsdecode(b"in\xfe.mp4"), "in\\udcfe.mp4"),
        ("a\\nb", "a\\nb"),
        ("", ""),
    ],
)
def test_foreign_text_stands_on_one_line(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown


def test_a_long_text_keeps_its_two_ends() -> None:
    shown = printable("begin" + "x" * 5000 + "end", 40)
    assert len(shown) == 40
    assert shown.startswith("beginx")
    assert shown.endswith("xend")
    assert " ... " in shown
    assert printable(shown, 40) == shown
    assert printable("x" * 40, 40) == "x" * 40


def test_a_sentence_about_a_long_address_keeps_its_end() -> None:
    shown = printable("'synthetic://street?seed=" + "9" * 5000 + "': a whole number was expected.", 80)
    assert len(shown) <= 80
    assert shown.startswith("'synthetic://street?seed=999")
    assert shown.endswith(" ... a whole number was expected.")


def test_of_a_long_command_the_end_is_left_out() -> None:
    shown = printable("build 'x" + "y" * 5000 + "' -o '; touch X", 40, cut="end")
    assert len(shown) == 40
    assert shown == "build 'x" + "y" * 28 + " ..."


def test_escapes_count_as_the_letters_that_they_are() -> None:
    assert len(printable("\x1b" * 40, 40)) == 40


@pytest.mark.parametrize("most", [30, 60, 200])
@pytest.mark.parametrize(
    "text",
    [
        "cannot open rtsp://user:" + "secret" * 50 + "@camera/1: it is lost",
        "cannot open http://camera/?token=" + "secret" * 50 + "&x=1 now",
        "http://camera/?a=1&token='" + "secret " * 50 + "' and more",
        "x" * 300 + " rtsp://user:secret@camera/" + "y" * 300,
    ],
)
def test_what_is_cut_out_never_makes_a_password_visible(text: str, most: int) -> None:
    assert len(printable(text, most)) <= most
    assert "secret" not in prose_without_passwords(printable(text, most))


NAMES = [
    "plain",
    "a b",
    "x; touch X #",
    "$(touch X)",
    "`x`",
    "it's",
    'say "x"',
    "a\nb",
    "\x1b[31m",
    "a\\b\n'",
    "\u202eabc",
    "",
]


@pytest.mark.parametrize("name", [*NAMES, os.fsdecode(b"in\xfe.mp4")])
def test_a_shell_takes_a_quoted_text_for_the_word_that_it_was(name: str) -> None:
    command = f"printf %s {quoted(name)}"
    assert command.isprintable()
    assert os.fsdecode(subprocess.run(["bash", "-c", command], capture_output=True, check=True).stdout) == name


def test_a_quoted_text_is_one_word_however_long() -> None:
    word = quoted("'; touch X #" * 5000)
    assert len(word) < 5000
    assert len(shlex.split(word)) == 1


def test_a_command_of_plain_words_stays_plain() -> None:
    assert command_line("fcn-edge", "build", Path("a/b.onnx"), "-o", "x y") == "fcn-edge build a/b.onnx -o 'x y'"


def test_a_path_is_never_taken_for_an_option() -> None:
    assert quoted(Path("--debug")) == "./--debug"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("007", 7),
        ("9" * 18, 10**18 - 1),
        ("9" * 5000, None),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
    ],
)
def test_whole_numbers(text: str, number: int | None) -> None:
    assert whole(text) == number


def test_names_are_listed_up_to_a_number() -> None:
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed([1, 2, 3], 3) == "1, 2, 3"
    assert listed([1, 2, 3, 4], 3) == "1, 2, 3 and 1 more"
    assert listed(range(250)).endswith("7 and 242 more")
