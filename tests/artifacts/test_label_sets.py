from __future__ import annotations

import pytest

from fcn_edge.artifacts.label_sets import (
    ADE20K,
    CITYSCAPES,
    LABEL_SETS,
    PASCAL_CONTEXT,
    PASCAL_CONTEXT_59,
    PASCAL_CONTEXT_CAFFE,
    VOC,
    LabelSet,
    generated_palette,
    labels_for,
    lengthened,
)
from fcn_edge.street import Street

SHARED_COLORS = {"ade20k": 1, "pascal-context": 1, "pascal-context-59": 1, "coco-stuff": 9}
"""Classes that share the color of an earlier one in the published palette."""


@pytest.mark.parametrize("name", LABEL_SETS)
def test_a_label_set_is_consistent(name: str) -> None:
    labels = LABEL_SETS[name]
    assert labels.name == name
    assert len(labels.palette) == len(labels.classes) == len(set(labels.classes))
    assert all(label == label.strip() and label for label in labels.classes)
    assert len(labels.palette) - len(set(labels.palette)) == SHARED_COLORS.get(name, 0)
    assert all(len(color) == 3 and all(0 <= part <= 255 for part in color) for color in labels.palette)
    assert len(labels.classes) <= labels.void <= 255


def test_the_sets_have_their_published_sizes() -> None:
    assert {name: len(labels.classes) for name, labels in LABEL_SETS.items()} == {
        "camvid": 11,
        "cityscapes": 19,
        "voc": 21,
        "pascal-context": 60,
        "pascal-context-59": 59,
        "pascal-context-caffe": 60,
        "ade20k": 150,
        "coco-stuff": 171,
    }


@pytest.mark.parametrize(
    ("name", "number", "label", "color"),
    [
        ("camvid", 3, "road", (128, 64, 128)),
        ("cityscapes", 11, "person", (220, 20, 60)),
        ("voc", 0, "background", (0, 0, 0)),
        ("voc", 1, "aeroplane", (128, 0, 0)),
        ("voc", 15, "person", (192, 128, 128)),
        ("voc", 20, "tvmonitor", (0, 64, 128)),
        ("pascal-context", 0, "background", (120, 120, 120)),
        ("pascal-context", 2, "bag", (6, 230, 230)),
        ("pascal-context-59", 58, "wood", (31, 0, 255)),
        ("pascal-context-caffe", 21, "bag", (128, 64, 128)),
        ("pascal-context-caffe", 59, "wood", (192, 192, 64)),
        ("ade20k", 0, "wall", (120, 120, 120)),
        ("ade20k", 7, "bed", (204, 5, 255)),
        ("ade20k", 89, "television receiver", (0, 255, 194)),
        ("ade20k", 149, "flag", (92, 0, 255)),
        ("coco-stuff", 0, "person", (0, 192, 64)),
        ("coco-stuff", 79, "toothbrush", (192, 160, 0)),
        ("coco-stuff", 80, "banner", (0, 192, 0)),
        ("coco-stuff", 170, "wood", (64, 64, 0)),
    ],
)
def test_some_published_numbers_and_colors(name: str, number: int, label: str, color: tuple[int, int, int]) -> None:
    labels = LABEL_SETS[name]
    assert (labels.classes[number], labels.palette[number]) == (label, color)


def test_voc_has_its_own_color_map() -> None:
    palette = generated_palette(255)
    assert len(set(palette)) == 255, "generated colors differ for any number of classes"
    assert palette[:21] == VOC.palette
    assert palette[:60] == PASCAL_CONTEXT_CAFFE.palette


def test_pascal_context_in_two_orders() -> None:
    assert PASCAL_CONTEXT.classes[1:] == PASCAL_CONTEXT_59.classes == tuple(sorted(PASCAL_CONTEXT_59.classes))
    assert PASCAL_CONTEXT_CAFFE.classes[:21] == VOC.classes
    renamed = {"bedcloth": "bedclothes", "clothes": "cloth", "diningtable": "table"}
    assert {renamed.get(label, label) for label in PASCAL_CONTEXT_CAFFE.classes} == set(PASCAL_CONTEXT.classes)


def test_rendered_streets_have_the_camvid_classes() -> None:
    assert Street.classes == LABEL_SETS["camvid"].classes
    assert Street.void == LABEL_SETS["camvid"].void


def test_a_number_of_outputs_speaks_for_a_likely_set() -> None:
    likely = (CITYSCAPES, VOC, ADE20K, PASCAL_CONTEXT, PASCAL_CONTEXT_CAFFE)
    assert labels_for(19, *likely) is CITYSCAPES
    assert labels_for(150, *likely) is ADE20K
    assert labels_for(60, *likely) is PASCAL_CONTEXT, "the likeliest stands first"


def test_other_numbers_of_outputs_get_plain_names() -> None:
    labels = labels_for(21, CITYSCAPES)
    assert labels.classes[:2] == ("class 0", "class 1")
    assert (len(labels.classes), labels.classes[-1], labels.void) == (21, "class 20", 255)
    assert labels.palette == generated_palette(21)
    assert len(set(labels_for(255).palette)) == 255


def test_more_scores_than_names() -> None:
    few = LabelSet("few", ("road", "unused 3"), ((9, 9, 9), (8, 8, 8)), void=2)
    longer = lengthened(few, 4)
    assert longer.classes == ("road", "unused 3", "unused 2", "unused 4"), "no name twice"
    assert longer.palette == (*few.palette, *generated_palette(4)[2:])
    assert (longer.name, longer.void) == ("few", 255), "its void would be a class"
    assert lengthened(CITYSCAPES, 19) is CITYSCAPES
    assert lengthened(VOC, 30).void == 255
