from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcn_edge.artifacts.spec import Resize
from fcn_edge.errors import ModelError
from fcn_edge.ops.decode import decode
from fcn_edge.ops.geometry import AxisMapping, FrameMapping, placement

from .dense_reference import full_size_scores, reference_mask, seen_part, wrong_pixels

VOID = 255
POLICIES = [Resize(), Resize(policy="stretch"), Resize(policy="roi", roi=(0.25, 0.1, 0.9, 0.8))]
checked = settings(deadline=None, derandomize=True, max_examples=80)


def noise(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def smooth(seed: int, shape: tuple[int, int, int]) -> np.ndarray:
    """Fields with large areas of one class, a gradient across every cell, and some noise."""
    classes, height, width = shape
    coarse = noise(seed, (classes, height // 6 + 2, width // 6 + 2))
    axis = AxisMapping(1 / 6, 0.2, height, 0, height), AxisMapping(1 / 6, 0.2, width, 0, width)
    return (4 * full_size_scores(coarse, FrameMapping(*axis)) + 0.1 * noise(seed + 1, shape)).astype(np.float32)


def grid_of(size: tuple[int, int], stride: int) -> tuple[int, int]:
    return size[0] // stride, size[1] // stride


@st.composite
def axes(draw: st.DrawFn, scale: st.SearchStrategy[float], offset: st.SearchStrategy[float]) -> AxisMapping:
    length = draw(st.integers(1, 90))
    start = draw(st.integers(0, length - 1))
    return AxisMapping(draw(scale), draw(offset), length, start, draw(st.integers(start + 1, length)))


any_axis = axes(st.floats(0.004, 3), st.floats(-25, 25))
dyadic_axis = axes(
    st.sampled_from([1 / 32, 1 / 16, 1 / 8, 0.25, 0.5, 1, 2]), st.integers(-48, 48).map(lambda n: n / 16)
)


@pytest.mark.parametrize("height", [360, 540, 720])
@pytest.mark.parametrize("stride", [8, 16, 32])
@pytest.mark.parametrize("resize", POLICIES, ids=lambda resize: resize.policy)
@pytest.mark.parametrize("scores_of", [noise, smooth], ids=["noise", "smooth"])
def test_frame_heights_at_every_stride(height, stride, resize, scores_of):
    network = (256, 160)
    mapping = placement((height, 225), network, resize).mapping(stride)
    scores = scores_of(height + stride, (5, *grid_of(network, stride)))
    assert wrong_pixels(decode(scores, mapping, VOID), scores, mapping, VOID) == 0


@checked
@given(
    frame=st.tuples(st.integers(1, 130), st.integers(1, 130)),
    network=st.tuples(st.integers(1, 5), st.integers(1, 5)).map(lambda n: (32 * n[0], 32 * n[1])),
    stride=st.sampled_from([8, 16, 32]),
    resize=st.sampled_from(POLICIES),
    classes=st.integers(2, 30),
    scores_of=st.sampled_from([noise, smooth]),
    seed=st.integers(0, 1 << 30),
)
def test_placed_frames(frame, network, stride, resize, classes, scores_of, seed):
    if resize.roi is not None and min(frame) < 3:
        frame = (frame[0] + 3, frame[1] + 3)
    mapping = placement(frame, network, resize).mapping(stride)
    scores = scores_of(seed, (classes, *grid_of(network, stride)))
    assert wrong_pixels(decode(scores, mapping, VOID), scores, mapping, VOID) == 0


@checked
@given(
    rows=any_axis,
    columns=any_axis,
    grid=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    classes=st.integers(2, 20),
    seed=st.integers(0, 1 << 30),
)
def test_arbitrary_mappings(rows, columns, grid, classes, seed):
    mapping, scores = FrameMapping(rows, columns), noise(seed, (classes, *grid))
    assert wrong_pixels(decode(scores, mapping, VOID), scores, mapping, VOID) == 0


@checked
@given(
    rows=dyadic_axis,
    columns=dyadic_axis,
    grid=st.tuples(st.integers(1, 8), st.integers(1, 8)),
    classes=st.integers(2, 12),
    span=st.integers(1, 6),
    seed=st.integers(0, 1 << 30),
)
def test_exact_ties_go_to_the_lowest_id(rows, columns, grid, classes, span, seed):
    """Scores in eighths at dyadic grid positions: nothing is rounded, so the mask is the reference's to the pixel."""
    scores = (np.random.default_rng(seed).integers(-span, span + 1, (classes, *grid)) / 8).astype(np.float32)
    mapping = FrameMapping(rows, columns)
    np.testing.assert_array_equal(decode(scores, mapping, VOID), reference_mask(scores, mapping, VOID))


@checked
@given(rows=any_axis, columns=any_axis, seed=st.integers(0, 1 << 30))
def test_equal_classes_go_to_the_lower_id_at_any_scale(rows, columns, seed):
    scores = noise(seed, (6, 7, 9))
    scores[[4, 5]] = scores[[1, 2]]
    assert not np.isin(decode(scores, FrameMapping(rows, columns), VOID), [4, 5]).any()


def test_a_tie_along_a_line_of_pixels():
    scores = np.zeros((3, 2, 2), np.float32)
    scores[1, :, 1] = scores[2, :, 0] = 1
    axis = AxisMapping(0.125, 0, 9, 0, 9)
    labels = decode(scores, FrameMapping(axis, axis), VOID)
    assert (labels == [2, 2, 2, 2, 1, 1, 1, 1, 1]).all()


def test_a_tie_at_a_grid_point_of_a_class_that_is_less_in_the_rest_of_the_cell():
    scores = np.ones((2, 2, 2), np.float32)
    scores[0] = [[1, 0], [0, 0]]
    axis = AxisMapping(0.125, 0, 9, 0, 9)
    for turned in (scores, scores[:, ::-1], scores[:, :, ::-1], scores[:, ::-1, ::-1]):
        mapping = FrameMapping(axis, axis)
        labels = decode(turned, mapping, VOID)
        np.testing.assert_array_equal(labels, reference_mask(turned, mapping, VOID))
        assert np.count_nonzero(labels == 0) == 1


def test_a_class_that_is_best_at_no_corner_can_win_inside():
    scores = np.zeros((3, 2, 2), np.float32)
    scores[0, :, 0] = scores[1, :, 1] = 1
    scores[2] = 0.75
    axis = AxisMapping(0.125, 0, 9, 0, 9)
    labels = decode(scores, FrameMapping(axis, axis), VOID)
    assert (labels == [0, 0, 0, 2, 2, 2, 1, 1, 1]).all()


@pytest.mark.parametrize("classes", [1, 2, 150, 255])
def test_class_counts(classes):
    mapping = placement((90, 75), (96, 64), Resize()).mapping(8)
    scores = noise(classes, (classes, 12, 8))
    assert wrong_pixels(decode(scores, mapping, VOID), scores, mapping, VOID) == 0


@pytest.mark.parametrize("grid", [(1, 1), (1, 9), (9, 1)])
def test_grids_of_one_row_or_column(grid):
    mapping = FrameMapping(AxisMapping(0.1, -0.45, 100, 0, 100), AxisMapping(0.1, -0.45, 100, 5, 95))
    scores = noise(3, (4, *grid))
    assert wrong_pixels(decode(scores, mapping, VOID), scores, mapping, VOID) == 0


def test_pixels_outside_the_region_are_void():
    mapping = placement((90, 100), (64, 64), POLICIES[2]).mapping(8)
    rows, columns = seen_part(mapping)
    labels = decode(noise(1, (3, 8, 8)), mapping, 17)
    assert (rows.start, rows.stop, columns.start, columns.stop) == (22, 81, 10, 80)
    assert (labels[rows, columns] < 3).all()
    labels[rows, columns] = 17
    assert (labels == 17).all()


def test_half_precision_and_strided_scores_give_the_same_mask():
    mapping = placement((100, 120), (64, 96), Resize()).mapping(8)
    scores = noise(5, (7, 8, 12)).astype(np.float16)
    expected = decode(scores.astype(np.float32), mapping, VOID)
    np.testing.assert_array_equal(decode(scores, mapping, VOID), expected)
    channels_last = np.ascontiguousarray(scores.astype(np.float32).transpose(1, 2, 0)).transpose(2, 0, 1)
    np.testing.assert_array_equal(decode(channels_last, mapping, VOID), expected)
    read_only = scores.astype(np.float32)
    read_only.flags.writeable = False
    np.testing.assert_array_equal(decode(read_only, mapping, VOID), expected)


@pytest.mark.parametrize("factor", [3e38, 1e-30], ids=str)
def test_scores_at_the_ends_of_float32(factor):
    mapping = placement((100, 120), (64, 96), Resize()).mapping(8)
    scores = (np.random.default_rng(5).integers(-8, 9, (7, 8, 12)) / 8 * factor).astype(np.float32)
    assert wrong_pixels(decode(scores, mapping, VOID), scores, mapping, VOID) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_scores_that_are_no_numbers_are_refused(bad, dtype):
    mapping = placement((64, 64), (64, 64), Resize()).mapping(8)
    for place in [(0, 0, 0), (2, 7, 7), (1, 3, 4)]:
        scores = noise(0, (3, 8, 8)).astype(dtype)
        scores[place] = bad
        with pytest.raises(ModelError, match="NaN or infinity"):
            decode(scores, mapping, VOID)


@pytest.mark.parametrize("shape", [(8, 8), (1, 3, 8, 8), (256, 2, 2), (0, 8, 8), (3, 0, 8)])
def test_other_shapes_are_refused(shape):
    mapping = placement((64, 64), (64, 64), Resize()).mapping(8)
    with pytest.raises(ModelError, match="shape"):
        decode(np.zeros(shape, np.float32), mapping, VOID)


@pytest.mark.parametrize("stride", [8, 32])
def test_memory_stays_bounded_where_every_cell_is_on_a_border(stride):
    mapping = placement((720, 1280), (512, 1024), Resize()).mapping(stride)
    scores = noise(1, (11, *grid_of((512, 1024), stride)))
    decode(scores, mapping, VOID)
    tracemalloc.start()
    try:
        decode(scores, mapping, VOID)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20  # all scores at full size: 41 MB


def nearest_decoder(scores, mapping, void):
    labels = np.full(mapping.frame_size, void, np.uint8)
    rows, columns = (
        np.clip(np.rint(np.arange(axis.start, axis.stop) * axis.scale + axis.offset), 0, points - 1).astype(int)
        for axis, points in zip((mapping.rows, mapping.columns), scores.shape[1:], strict=True)
    )
    labels[seen_part(mapping)] = scores.argmax(axis=0)[np.ix_(rows, columns)]
    return labels


def corners_only_decoder(scores, mapping, void):
    """Decides every cell among the winners of its corners: a class that is best at no corner cannot win."""
    best = scores.argmax(axis=0)
    one_hot = (best == np.arange(len(scores))[:, None, None]).astype(np.float32)
    full = full_size_scores(scores, mapping)
    labels = np.full(mapping.frame_size, void, np.uint8)
    labels[seen_part(mapping)] = np.where(full_size_scores(one_hot, mapping) > 0, full, -np.inf).argmax(axis=0)
    return labels


def misplaced_decoder(scores, mapping, void):
    """A quarter of a cell off."""
    rows = mapping.rows
    moved = AxisMapping(rows.scale, rows.offset + 0.25, rows.length, rows.start, rows.stop)
    return decode(scores, FrameMapping(moved, mapping.columns), void)


def whole_frame_decoder(scores, mapping, void):
    """Labels what the network did not see."""
    labels = decode(scores, mapping, void)
    return np.where(labels == void, 0, labels).astype(np.uint8)


@pytest.mark.parametrize("scores_of", [noise, smooth], ids=["noise", "smooth"])
@pytest.mark.parametrize("decoder", [nearest_decoder, corners_only_decoder, misplaced_decoder, whole_frame_decoder])
def test_the_comparison_catches_wrong_decoders(decoder, scores_of):
    mapping = placement((180, 225), (128, 160), POLICIES[2]).mapping(8)
    scores = scores_of(2, (8, 16, 20))
    assert wrong_pixels(decode(scores, mapping, VOID), scores, mapping, VOID) == 0
    assert wrong_pixels(decoder(scores, mapping, VOID), scores, mapping, VOID) > 0
