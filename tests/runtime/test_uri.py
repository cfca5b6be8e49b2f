from __future__ import annotations

import pytest

from fcn_edge.errors import UsageError
from fcn_edge.runtime.uri import Uri, frame_size_from_text


@pytest.mark.parametrize("text", ["0", "drive.mp4", "a:b.mp4", "what?.png", "/dev/video0", "C:\\x", "1://x", "", "-"])
def test_what_has_no_scheme_is_a_place_as_it_stands(text: str) -> None:
    assert Uri.parse(text) == Uri(text, "", text, {})


def test_takes_a_uri_apart() -> None:
    uri = Uri.parse("Synthetic://street?seed=3&size=480x640")
    assert (uri.scheme, uri.place, dict(uri.query)) == ("synthetic", "street", {"seed": "3", "size": "480x640"})
    assert Uri.parse("file:///tmp/a%20b.mp4").place == "/tmp/a b.mp4"


def test_options_are_read_and_unknown_ones_refused() -> None:
    readers = {"seed": int, "size": frame_size_from_text}
    assert Uri.parse("x://y?seed=3&size=480x640").options(readers) == {"seed": 3, "size": (480, 640)}
    with pytest.raises(UsageError, match=r"no option 'sede'.*seed, size"):
        Uri.parse("x://y?sede=3").options(readers)
    with pytest.raises(UsageError, match="seed=three"):
        Uri.parse("x://y?seed=three").options(readers)
    with pytest.raises(UsageError, match="size="):
        Uri.parse("x://y?size=").options(readers)


@pytest.mark.parametrize("text", ["480", "480x", "x640", "0x640", "480x0", "-1x3", "4.5x3", "480x99999", "a"])
def test_what_is_no_frame_size(text: str) -> None:
    with pytest.raises(ValueError, match="480x640"):
        frame_size_from_text(text)
