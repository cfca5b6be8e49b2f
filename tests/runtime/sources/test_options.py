from __future__ import annotations

import pytest

from fcn_edge.errors import UsageError
from fcn_edge.runtime.sources.options import COMMON_OPTIONS, FILE_OPTIONS, RTSP_OPTIONS
from fcn_edge.runtime.sources.tcp import Authority
from fcn_edge.runtime.uri import frame_size_from_text

READERS = {**COMMON_OPTIONS, **FILE_OPTIONS, **RTSP_OPTIONS, "size": frame_size_from_text}
DIGITS = "9" * 5000


@pytest.mark.parametrize("key", READERS)
@pytest.mark.parametrize("text", ["", "abc", "-1", DIGITS, f"{DIGITS}x{DIGITS}", f"{DIGITS},0,8x8", "\x1b[2J"])
def test_a_bad_value_is_refused_in_our_words(key: str, text: str) -> None:
    if key == "name" and text in ("abc", "-1"):
        assert READERS[key](text) == text
        return
    with pytest.raises(ValueError, match="expected"):
        READERS[key](text)


def test_a_port_of_thousands_of_digits_is_none() -> None:
    with pytest.raises(UsageError, match="no port from 1 to 65535"):
        Authority.of(f"rtsp://h:{DIGITS}/", "rtsp://h", 554)
    assert Authority.of("rtsp://h:8554/", "rtsp://h", 554).port == 8554
