from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from fcn_edge.artifacts.spec import (
    DECODER_STRIDES,
    ModelSpec,
    Normalization,
    Resize,
    Sha256,
    checked_size,
    size_from_text,
)
from fcn_edge.errors import SpecError, UsageError


def fields(**changes: Any) -> dict[str, Any]:
    return {
        "name": "yard",
        "encoder": "mobilenet_v2",
        "decoder": "fcn8s",
        "stride": 8,
        "classes": ["ground", "crate", "person"],
        "palette": [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
        "size": [384, 480],
        **changes,
    }


def spec(**changes: Any) -> ModelSpec:
    return ModelSpec.from_json(json.dumps(fields(**changes)))


@st.composite
def specs(draw: st.DrawFn) -> ModelSpec:
    classes = draw(st.lists(st.text(max_size=20), min_size=2, max_size=40, unique=True))
    decoder = draw(st.sampled_from(sorted(DECODER_STRIDES)))
    byte, side = st.integers(0, 255), st.integers(1, 64).map(lambda n: 32 * n)
    numbers = st.floats(-1e6, 1e6)
    positive = st.floats(1e-3, 1e6)
    precision = draw(st.sampled_from(["fp32", "fp16", "int8"]))
    return ModelSpec.model_validate(
        {
            "name": draw(st.text(min_size=1, max_size=200)),
            "encoder": draw(st.sampled_from(["vgg16", "resnet50", "mobilenet_v2", "something else"])),
            "decoder": decoder,
            "stride": DECODER_STRIDES[decoder],
            "classes": classes,
            "palette": draw(st.lists(st.tuples(byte, byte, byte), min_size=len(classes), max_size=len(classes))),
            "void": draw(st.integers(len(classes), 255)),
            "size": draw(st.tuples(side, side)),
            "resize": draw(st.sampled_from([{}, {"policy": "stretch"}, {"policy": "roi", "roi": (0.25, 0, 1, 0.5)}])),
            "normalization": {
                "color_order": draw(st.sampled_from(["rgb", "bgr"])),
                "mean": draw(st.tuples(numbers, numbers, numbers)),
                "std": draw(st.tuples(positive, positive, positive)),
            },
            "head": draw(st.sampled_from(["scores", "labels"])),
            "precision": precision,
            "profile": "onnxruntime-vnni" if precision == "int8" else None,
            "provenance": {
                "trained_on": draw(st.lists(st.text(max_size=20), max_size=3)),
                "tools": draw(st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=3)),
            },
        }
    )


@given(specs())
def test_json_round_trip(one: ModelSpec) -> None:
    text = one.to_json()
    assert ModelSpec.from_json(text) == one
    assert ModelSpec.from_json(text.encode()).to_json() == text
    assert "\n" not in text


def test_defaults() -> None:
    one = spec()
    assert one.arch == "mobilenet_v2-fcn8s"
    assert (one.void, one.head, one.precision, one.profile, one.resize.policy) == (255, "scores", "fp32", None, "pad")
    assert one.normalization.mean_bgr == (104, 116, 124)
    assert Normalization(color_order="bgr", mean=(1.4, 2.6, 250)).mean_bgr == (1, 3, 250)


def test_spec_describes_the_networks_of_others() -> None:
    one = spec(
        family="pytorch-fcn",
        encoder="VGG-16 with fc6 and fc7",
        decoder="skip 4",
        stride=4,
        size=[375, 500],
        geometry={"align": "stride", "first": [-23.5, -23.5], "padding": 198, "unit": 32, "size_multiple": 1},
    )
    assert ModelSpec.from_json(one.to_json()) == one
    assert one.arch == "VGG-16 with fc6 and fc7-skip 4"
    assert one.grid_size(one.size) == (8 * 18, 8 * 22)
    assert spec().grid_size((384, 480)) == (48, 60)


def test_specs_are_frozen_values() -> None:
    one = spec()
    with pytest.raises(Exception, match="frozen"):
        one.name = "other"  # type: ignore[misc]
    assert one == spec()
    assert one != spec(name="other")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"palette": [[1, 2, 3]]}, "3 classes need 3 colors, not 1"),
        ({"palette": [[1, 2, 3], [4, 5, 6], [7, 8, 256]]}, "palette.2.2: "),
        ({"classes": ["a", "b", "a"]}, "class names must differ"),
        ({"classes": ["a"], "palette": [[1, 2, 3]]}, "classes: "),
        ({"void": 2}, "must lie outside the class ids 0..2"),
        ({"void": 256}, "void: "),
        ({"stride": 0}, "stride: "),
        ({"stride": 8.5}, "stride: "),
        ({"decoder": ""}, "decoder: "),
        ({"family": ""}, "family: "),
        ({"geometry": {"unit": 12}}, "unit 12 must be a multiple of the stride 8"),
        ({"geometry": {"extra_cells": -48}}, "leaves no score cell"),
        ({"geometry": {"align": "stride"}}, "geometry: a first cell belongs to the alignment 'stride'"),
        ({"geometry": {"pad": 100}}, "geometry.pad: "),
        ({"geometry": {"size_multiple": 36}}, "size .* must be multiples of 36"),
        ({"size": [360, 480]}, "must be multiples of 32"),
        ({"size": [0, 32]}, "must be multiples of 32"),
        ({"size": [-32, 32]}, "must be multiples of 32"),
        ({"size": [32]}, "size"),
        ({"name": ""}, "name: "),
        ({"name": None}, "name: "),
        ({"precision": "int8"}, "profile belongs to an int8 graph"),
        ({"profile": "vnni"}, "profile belongs to an int8 graph"),
        ({"head": "softmax"}, "head: "),
        ({"resize": {"policy": "roi"}}, "region belongs to the resize policy 'roi'"),
        ({"resize": {"policy": "pad", "roi": [0, 0, 1, 1]}}, "region belongs to the resize policy 'roi'"),
        ({"resize": {"policy": "roi", "roi": [0.5, 0, 0.5, 1]}}, "top < bottom"),
        ({"resize": {"policy": "roi", "roi": [0, 0, 1, 1.5]}}, "roi.3: "),
        ({"normalization": {"std": [1, 1, 0]}}, "std must be positive"),
        ({"normalization": {"mean": [1, 1, float("nan")]}}, "NaN is no JSON number"),
        ({"schema_version": "2"}, "schema_version must be a whole number"),
        ({"schema_version": 0}, "schema_version must be a whole number"),
        ({"schema_version": True}, "schema_version must be a whole number"),
        ({"written_by": 1}, "written_by must be a version"),
        ({"unknown": 1}, "unknown: "),
    ],
)
def test_what_makes_no_sense_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        spec(**changes)
    assert "\n" not in caught.value.message
    assert "fcn-edge export" in caught.value.fix


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", b"\xff\xfe", "[" * 10_000])
def test_text_that_is_no_spec(text: str | bytes) -> None:
    with pytest.raises(SpecError):
        ModelSpec.from_json(text)


def test_replace_checks_the_whole() -> None:
    one = spec()
    assert one.replace(size=(64, 96)).size == (64, 96)
    assert one.replace(decoder="fcn16s", stride=16).arch == "mobilenet_v2-fcn16s"
    assert one.size == (384, 480)
    with pytest.raises(SpecError, match="must be multiples of 32"):
        one.replace(size=(64, 97))
    with pytest.raises(SpecError, match="resize"):
        one.replace(resize={"policy": "roi"})
    assert one.replace(resize=Resize(policy="stretch")).resize.policy == "stretch"


@given(st.integers(1, 300), st.integers(1, 300))
def test_sizes_of_text(height: int, width: int) -> None:
    assert size_from_text(f"{height}x{width}") == checked_size((height, width), multiple=1) == (height, width)
    size = (32 * height, 32 * width)
    assert size_from_text(f"{size[0]}x{size[1]}") == size_from_text(f"{size[0]}X{size[1]}") == size
    assert checked_size(size) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "512",
        "x",
        "512x",
        "x512",
        "axb",
        "512x1024x3",
        "-32x32",
        "3.5x32",
        "512 x 512",
        "9" * 5000 + "x32",
        "0x32",
        "32x0",
    ],
)
def test_text_that_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match="is not a size") as caught:
        size_from_text(text)
    assert "512x1024" in caught.value.fix


@pytest.mark.parametrize(
    ("size", "multiple", "nearest"),
    [
        ((360, 480), 32, "352x480"),
        ((500, 1000), 32, "512x992"),
        ((0, 32), 32, "32x32"),
        ((1, 1), 32, "32x32"),
        ((32, 33), 32, "32x32"),
        ((520, 525), 8, "520x528"),
        ((0, 7), 1, "1x7"),
    ],
)
def test_the_nearest_size_is_named(size: tuple[int, int], multiple: int, nearest: str) -> None:
    with pytest.raises(UsageError, match=f"not a multiple of {multiple} ") as caught:
        checked_size(size, multiple)
    assert f"nearest is {nearest} " in caught.value.fix


@pytest.mark.parametrize("wrong", ["", "0" * 63, "0" * 65, "A" * 64, "g" * 64, 7, None])
def test_hash_is_64_hexadecimal_digits(wrong: object) -> None:
    field: TypeAdapter[str] = TypeAdapter(Sha256)
    assert field.validate_python("0" * 64) == "0" * 64
    with pytest.raises(ValidationError):
        field.validate_python(wrong)


def test_where_frames_lie_is_written_when_it_is_not_as_usual() -> None:
    assert Resize().model_dump() == {"policy": "pad", "roi": None}
    centered = Resize(anchor="center", fill=(114, 114, 114))
    assert Resize.model_validate_json(centered.model_dump_json()) == centered


def test_a_mean_beyond_the_colors_fills_with_the_nearest() -> None:
    assert Normalization(mean=(300, -20, 127.6)).mean_bgr == (128, 0, 255)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"size": [65504, 65504]}, "more pixels than any network takes"),
        ({"size": [2**63, 2**63]}, "more pixels than any network takes"),
        ({"size": [32, 1 << 20]}, "more pixels than any network takes"),
        ({"stride": 2**63}, "stride"),
        ({"geometry": {"padding": 2**63}}, "geometry.padding"),
        ({"geometry": {"extra_cells": -(2**63)}}, "geometry.extra_cells"),
        ({"geometry": {"unit": 2**63}}, "geometry.unit"),
        ({"geometry": {"size_multiple": 2**63}}, "geometry.size_multiple"),
        ({"geometry": {"margin": 1e300}}, "geometry.margin"),
        ({"geometry": {"align": "stride", "first": [1e300, 0]}}, "geometry.first"),
        ({"geometry": {"padding": 60_000, "extra_cells": 60_000}}, "score cells, more than any network"),
    ],
)
def test_numbers_that_no_network_has_are_refused(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(SpecError, match=place):
        spec(**changes)


def test_sizes_that_fill_memory_are_a_usage_error() -> None:
    assert checked_size((8192, 16384)) == (8192, 16384)
    with pytest.raises(UsageError, match="65504x65504 has more pixels than any network takes"):
        checked_size((65504, 65504))
