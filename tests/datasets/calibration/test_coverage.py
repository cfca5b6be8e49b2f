from __future__ import annotations

from fcn_edge.datasets.calibration.coverage import SHOWN, coverage_notes, missing_classes
from fcn_edge.datasets.calibration.sets import CalibrationImage

MODEL = ("sky", "car", "boat")


def image(shares: dict[str, float] | None) -> CalibrationImage:
    return CalibrationImage("a.png", None, "0" * 64, shares)


def test_missing_is_what_no_image_shows_in_the_model_s_order() -> None:
    images = [image({"car": 0.4}), image({"road": 0.6})]
    assert missing_classes(images, ("road", "car", "sky"), MODEL) == ("sky", "boat")
    assert coverage_notes(images, ("road", "car", "sky"), MODEL) == [
        "The data set has no class boat.",
        "No image shows sky: 0.05% of an image's pixels or more were expected.",
    ]


def test_a_class_counts_from_a_least_share_of_one_image() -> None:
    enough, less = image({"car": SHOWN}), image({"car": 0.9 * SHOWN})
    assert missing_classes([enough], ("car",), ("car",)) == ()
    assert missing_classes([less] * 5, ("car",), ("car",)) == ("car",)


def test_a_class_with_few_pixels_is_noted() -> None:
    images = [image({"sky": 0.9, "boat": 0.1}), image({"sky": 0.99, "car": 0.0012})]
    (note,) = coverage_notes(images, MODEL, MODEL)
    assert note == "car has few pixels: 0.060% of the labeled ones."


def test_without_labels_nothing_is_known_to_be_missing() -> None:
    assert missing_classes([image(None)], None, MODEL) == ()
    (note,) = coverage_notes([image(None)], None, MODEL)
    assert "not known whether they show every class" in note


def test_images_without_one_labeled_pixel() -> None:
    assert missing_classes([image({})], MODEL, MODEL) == MODEL
    (note,) = coverage_notes([image({})], MODEL, MODEL)
    assert note.startswith("No image shows sky, car, boat")


def test_labels_of_other_classes_alone_say_nothing() -> None:
    images = [image({"road": 0.4})]
    assert missing_classes(images, ("road", "tree"), MODEL) == ()
    (note,) = coverage_notes(images, ("road", "tree"), MODEL)
    assert note.startswith("The data set names none of the model's classes: it has road, tree, and the model has sky, ")
