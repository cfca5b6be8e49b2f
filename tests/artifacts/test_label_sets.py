from __future__ import annotations

import pytest

from fcn_edge.artifacts.label_sets import LABEL_SETS, generated_palette
from fcn_edge.street import Street


@pytest.mark.parametrize("name", LABEL_SETS)
def test_a_label_set_is_consistent(name: str) -> None:
    labels = LABEL_SETS[name]
    assert labels.name == name
    assert len(labels.palette) == len(labels.classes) == len(set(labels.classes))
    assert len(set(labels.palette)) == len(labels.palette), "colors must tell classes apart"
    assert all(len(color) == 3 and all(0 <= part <= 255 for part in color) for color in labels.palette)
    assert len(labels.classes) <= labels.void <= 255


def test_the_sets_have_their_published_sizes() -> None:
    assert {name: len(labels.classes) for name, labels in LABEL_SETS.items()} == {
        "camvid": 11,
        "cityscapes": 19,
        "voc": 21,
    }


def test_some_published_colors() -> None:
    def color(name: str, label: str) -> tuple[int, int, int]:
        labels = LABEL_SETS[name]
        return labels.palette[labels.classes.index(label)]

    assert color("camvid", "road") == (128, 64, 128)
    assert color("cityscapes", "person") == (220, 20, 60)
    assert color("voc", "background") == (0, 0, 0)
    assert color("voc", "aeroplane") == (128, 0, 0)
    assert color("voc", "person") == (192, 128, 128)
    assert color("voc", "tvmonitor") == (0, 64, 128)


def test_generated_colors_differ_for_any_number_of_classes() -> None:
    palette = generated_palette(255)
    assert len(set(palette)) == 255
    assert palette[:21] == LABEL_SETS["voc"].palette


def test_rendered_streets_have_the_camvid_classes() -> None:
    assert Street.classes == LABEL_SETS["camvid"].classes
    assert Street.void == LABEL_SETS["camvid"].void
