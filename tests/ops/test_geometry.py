from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcn_edge.artifacts.spec import Resize
from fcn_edge.errors import FrameError
from fcn_edge.ops.geometry import AxisMapping, placement

PAD, STRETCH = Resize(), Resize(policy="stretch")


@pytest.mark.parametrize(
    ("frame", "content"),
    [
        ((360, 640), (512, 910)),
        ((540, 960), (512, 910)),
        ((720, 1280), (512, 910)),
        ((360, 720), (512, 1024)),
        ((720, 960), (512, 683)),
        ((1, 5000), (1, 1024)),
    ],
)
def test_pad_keeps_the_aspect(frame, content):
    place = placement(frame, (512, 1024), PAD)
    assert place.content_size == content
    assert place.region == (0, 0, *frame)


@pytest.mark.parametrize(
    ("frame", "origin"),
    [((720, 1280), (0, 57)), ((512, 1021), (0, 1)), ((200, 1024), (156, 0)), ((201, 1024), (155, 0))],
)
def test_a_centered_frame_has_the_odd_pixel_of_the_rest_below_and_right(frame, origin):
    """As ``round(rest / 2 - 0.1)`` of Ultralytics' LetterBox."""
    place = placement(frame, (512, 1024), Resize(anchor="center"))
    assert place.origin == origin
    assert place.content_size == placement(frame, (512, 1024), PAD).content_size
    mapping = place.mapping(8)
    for axis, start, length in zip((mapping.rows, mapping.columns), origin, place.content_size, strict=True):
        assert axis.scale * -0.5 + axis.offset == pytest.approx(start / 8 - 0.5)
        assert axis.scale * (axis.length - 0.5) + axis.offset == pytest.approx((start + length) / 8 - 0.5)


@pytest.mark.parametrize("stride", [8, 16, 32])
@pytest.mark.parametrize("height", [360, 540, 720])
def test_frame_edges_lie_on_content_edges(height, stride):
    """The frame's outer edges, half a pixel outside its first and last pixel, are those of the content."""
    for resize in (PAD, STRETCH):
        place = placement((height, 640), (512, 1024), resize)
        rows = place.mapping(stride).rows
        assert rows.scale * -0.5 + rows.offset == pytest.approx(-0.5, abs=1e-12)
        bottom = rows.scale * (height - 0.5) + rows.offset
        assert bottom == pytest.approx(place.content_size[0] / stride - 0.5, abs=1e-9)


def test_stride_one_at_the_network_size_is_the_identity():
    mapping = placement((64, 96), (64, 96), PAD).mapping(1)
    assert mapping.rows == AxisMapping(1.0, 0.0, 64, 0, 64)
    assert mapping.columns == AxisMapping(1.0, 0.0, 96, 0, 96)


def test_a_region_is_where_the_mapping_is_valid():
    place = placement((100, 200), (64, 64), Resize(policy="roi", roi=(0.5, 0.25, 1.0, 0.75)))
    assert place.region == (50, 50, 100, 150)
    assert place.content_size == (32, 64)
    mapping = place.mapping(8)
    assert mapping.frame_size == (100, 200)
    assert (mapping.rows.start, mapping.rows.stop) == (50, 100)
    assert mapping.rows.scale * 49.5 + mapping.rows.offset == pytest.approx(-0.5)
    assert mapping.columns.scale * 149.5 + mapping.columns.offset == pytest.approx(64 / 8 - 0.5)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(
    frame=st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
    network=st.tuples(st.integers(1, 40), st.integers(1, 40)).map(lambda n: (32 * n[0], 32 * n[1])),
)
def test_content_fits_and_touches_one_side(frame, network):
    content = placement(frame, network, PAD).content_size
    assert 1 <= content[0] <= network[0]
    assert 1 <= content[1] <= network[1]
    assert content[0] == network[0] or content[1] == network[1]


@pytest.mark.parametrize("frame", [(0, 10), (10, 0)])
def test_an_empty_frame_is_refused(frame):
    with pytest.raises(FrameError, match="empty"):
        placement(frame, (64, 64), PAD)


def test_a_region_without_a_pixel_is_refused():
    with pytest.raises(FrameError, match="no pixel"):
        placement((10, 10), (64, 64), Resize(policy="roi", roi=(0.5, 0.5, 0.51, 1.0)))


@pytest.mark.parametrize(
    "numbers", [(0.0, 0.0, 5, 0, 5), (1.0, 0.0, 5, 3, 3), (1.0, 0.0, 5, 0, 6), (1.0, 0.0, 5, -1, 5)]
)
def test_an_axis_that_is_no_mapping_is_refused(numbers):
    with pytest.raises(ValueError, match="no mapping"):
        AxisMapping(*numbers)
