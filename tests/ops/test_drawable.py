from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from fcn_edge.io.opencv import cv2
from fcn_edge.ops import drawable as module
from fcn_edge.ops import overlay
from fcn_edge.ops.drawable import drawable, in_ascii


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Straße", "Strasse"),
        ("voiture à côté", "voiture a cote"),
        ("Łódź", "Lodz"),
        ("chão", "chao"),
        ("fi\N{LATIN SMALL LIGATURE FI}", "fifi"),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER A}1", "A1"),
        ("дорога", ""),
        ("road 道路", ""),
    ],
)
def test_a_name_without_its_marks(name: str, plain: str) -> None:
    assert in_ascii(name) == plain


@pytest.mark.parametrize("version", ["4.8.1", "4.11.0", "5.0.0", "10.1.0-dev"])
def test_a_name_is_changed_only_where_opencv_cannot_draw_it(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(module, "cv2", lambda: SimpleNamespace(__version__=version))
    old = version.startswith("4")
    assert drawable("road", 3) == "road"
    assert drawable("Straße", 3) == ("Strasse" if old else "Straße")
    assert drawable("道路", 3) == ("class 3" if old else "道路")


def test_the_legend_draws_no_question_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    real = cv2()

    class Watched:
        __version__ = "4.11.0"

        def __getattr__(self, name: str) -> object:
            return getattr(real, name)

        def putText(self, frame: object, text: str, *rest: object) -> None:
            drawn.append(text)

    for place in (module, overlay):
        monkeypatch.setattr(place, "cv2", Watched)
    palette = np.zeros((256, 3), np.uint8)
    overlay.legend(np.zeros((480, 640, 3), np.uint8), ["Straße", "道路"], palette, [0.6, 0.4])
    assert drawn == ["Strasse", "60.0%", "class 1", "40.0%"]
