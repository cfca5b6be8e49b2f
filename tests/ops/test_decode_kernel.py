"""The decode kernel's own source, run on the host, held to the float64 reference that the host's decoder is held to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fcn_edge.artifacts.spec import Resize
from fcn_edge.ops.decode import decode
from fcn_edge.ops.geometry import AxisMapping, FrameMapping, placement
from fcn_edge.ops.kernels import decode_launch, kernel_source

from .dense_reference import full_size_scores, reference_mask, seen_part, wrong_pixels
from .emulator import Emulator

VOID, GUARD = 255, 171
POLICIES = [Resize(), Resize(policy="stretch"), Resize(policy="roi", roi=(0.25, 0.1, 0.9, 0.8))]
REFERENCE_SCORES = 500_000
"""Scores at full size that a random case may have: the reference makes them all."""

REFERENCE_STRIP = 24
"""Rows of a frame of 4K that the reference makes the scores of at once: 190 MB of 255 classes."""


def decoded(emulator: Emulator, scores, mapping, void=VOID, pitch=None, shift=0) -> tuple[np.ndarray, bool]:
    """Masks ``(N, H, W)`` of ``(N, C, h, w)`` scores, and whether they were found not to be finite.

    The mask starts ``shift`` bytes past a multiple of 16; the bytes around it and between its rows must stay. Blocks
    and threads run in both orders, which must not matter.
    """
    height, width = mapping.frame_size
    pitch = pitch or width
    results = []
    for backwards in (False, True):
        room = np.full(len(scores) * height * pitch + 64, GUARD, np.uint8)
        start = -room.ctypes.data % 16 + 16 + shift
        flag = np.zeros(1, np.int32)
        launch = decode_launch(
            scores.ctypes.data,
            scores.dtype,
            scores.shape,
            mapping,
            void,
            room.ctypes.data + start,
            flag.ctypes.data,
            pitch,
        )
        emulator.run(launch, backwards)
        masks = room[start : start + len(scores) * height * pitch].reshape(len(scores), height, pitch)
        results.append((masks[..., :width].copy(), flag[0]))
        masks[..., :width] = GUARD
        assert (room == GUARD).all()
    np.testing.assert_array_equal(*(labels for labels, _ in results))
    assert results[0][1] == results[1][1]
    return results[0][0], bool(results[0][1])


def noise(random: np.random.Generator, shape: tuple[int, ...], dtype=np.float32) -> np.ndarray:
    """Nearly every cell is on a class border."""
    return random.standard_normal(shape).astype(dtype)


def smooth(random: np.random.Generator, shape: tuple[int, ...], dtype=np.float32) -> np.ndarray:
    """Large areas of one class."""
    images, classes, height, width = shape
    axes = AxisMapping(1 / 6, 0.2, height, 0, height), AxisMapping(1 / 6, 0.2, width, 0, width)
    coarse = random.standard_normal((images * classes, height // 6 + 2, width // 6 + 2))
    fine = full_size_scores(coarse, FrameMapping(*axes)).reshape(shape)
    return np.ascontiguousarray(4 * fine + 0.1 * random.standard_normal(shape), dtype)


def random_axis(random: np.random.Generator, scales, offsets) -> AxisMapping:
    length = int(random.integers(1, 90))
    start = int(random.integers(0, length))
    return AxisMapping(
        float(random.choice(scales)),
        float(random.choice(offsets)),
        length,
        start,
        int(random.integers(start, length)) + 1,
    )


# six of each policy, content and type while you work
@pytest.mark.parametrize("case", [*range(72), *(pytest.param(case, marks=pytest.mark.slow) for case in range(72, 200))])
def test_random_frames(emulator, case):
    random = np.random.default_rng(case)
    stride = int(random.choice([8, 16, 32]))
    network = (32 * int(random.integers(1, 17)), 32 * int(random.integers(1, 17)))
    images, classes = int(random.integers(1, 4)), round(2 * 75 ** random.random())
    height = int(random.choice([360, 540, 720]))
    width = 1 + int(random.integers(2, max(4, min(300, REFERENCE_SCORES // (height * classes * images)))))
    mapping = placement((height, width), network, POLICIES[case % 3]).mapping(stride)
    shape = (images, classes, network[0] // stride, network[1] // stride)
    scores = (noise, smooth)[case // 3 % 2](random, shape, (np.float32, np.float16)[case // 6 % 2])
    masks, not_finite = decoded(emulator, scores, mapping)
    assert not not_finite
    assert [wrong_pixels(*pair, mapping, VOID) for pair in zip(masks, scores, strict=True)] == [0] * images


@pytest.mark.parametrize("case", range(40))
def test_arbitrary_mappings(emulator, case):
    random = np.random.default_rng(case)
    axes = [random_axis(random, np.exp(random.uniform(-5, 1.1, 9)), random.uniform(-25, 25, 9)) for _ in range(2)]
    shape = (1, *(int(random.integers(2, 20)) for _ in range(3)))
    scores, mapping = noise(random, shape), FrameMapping(*axes)
    masks, _ = decoded(emulator, scores, mapping)
    assert wrong_pixels(masks[0], scores[0], mapping, VOID) == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("case", range(40))
def test_exact_ties_go_to_the_lowest_id(emulator, case, dtype):
    """Scores in eighths at dyadic grid positions: nothing is rounded, so the mask is the reference's to the pixel."""
    random = np.random.default_rng(case)
    axes = [random_axis(random, [1 / 32, 1 / 16, 1 / 8, 0.5, 1, 2], np.arange(-48, 49) / 16) for _ in range(2)]
    span, mapping = int(random.integers(1, 7)), FrameMapping(*axes)
    shape = (1, int(random.integers(2, 13)), *random.integers(1, 9, 2))
    scores = (random.integers(-span, span + 1, shape) / 8).astype(dtype)
    masks, _ = decoded(emulator, scores, mapping)
    np.testing.assert_array_equal(masks[0], reference_mask(scores[0], mapping, VOID))


@pytest.mark.parametrize("case", range(20))
def test_equal_classes_go_to_the_lower_id_at_any_scale(emulator, case):
    random = np.random.default_rng(case)
    axes = [random_axis(random, np.exp(random.uniform(-5, 1.1, 9)), random.uniform(-25, 25, 9)) for _ in range(2)]
    scores = noise(random, (1, 6, 7, 9))
    scores[:, [4, 5]] = scores[:, [1, 2]]
    assert not np.isin(decoded(emulator, scores, FrameMapping(*axes))[0], [4, 5]).any()


def test_a_class_that_is_best_at_no_corner_can_win_inside(emulator):
    scores = np.zeros((1, 3, 2, 2), np.float32)
    scores[0, 0, :, 0] = scores[0, 1, :, 1] = 1
    scores[0, 2] = 0.75
    axis = AxisMapping(0.125, 0, 9, 0, 9)
    assert (decoded(emulator, scores, FrameMapping(axis, axis))[0] == [0, 0, 0, 2, 2, 2, 1, 1, 1]).all()


@pytest.mark.parametrize("classes", [1, 2, 150, 255])
@pytest.mark.parametrize("frame_size", [(90, 75), (9, 7)], ids=["upscaled", "downscaled"])
def test_class_counts(emulator, classes, frame_size):
    mapping = placement(frame_size, (96, 64), Resize()).mapping(4)
    scores = noise(np.random.default_rng(classes), (1, classes, 24, 16))
    masks, _ = decoded(emulator, scores, mapping)
    assert wrong_pixels(masks[0], scores[0], mapping, VOID) == 0


# a minute, nearly all of it the reference's
@pytest.mark.slow
@pytest.mark.parametrize(("classes", "dtype"), [(19, np.float16), (255, np.float32)])
def test_a_frame_of_4k(emulator, classes, dtype):
    """Every pixel, which the network saw all, a strip of rows after the other."""
    mapping = placement((2160, 3840), (512, 1024), Resize(anchor="center")).mapping(8)
    scores = smooth(np.random.default_rng(classes), (1, classes, 64, 128), dtype)
    mask = decoded(emulator, scores, mapping)[0][0]
    assert len(np.unique(mask)) >= min(classes, 100)
    for start in range(0, len(mask), REFERENCE_STRIP):
        stop = min(start + REFERENCE_STRIP, len(mask))
        labels = np.full_like(mask, VOID)
        labels[start:stop] = mask[start:stop]
        strip = replace(mapping, rows=replace(mapping.rows, start=start, stop=stop))
        assert wrong_pixels(labels, scores[0], strip, VOID) == 0


@pytest.mark.parametrize("grid", [(1, 1), (1, 9), (9, 1)])
def test_grids_of_one_row_or_column(emulator, grid):
    mapping = FrameMapping(AxisMapping(0.1, -0.45, 100, 0, 100), AxisMapping(0.1, -0.45, 100, 5, 95))
    scores = noise(np.random.default_rng(3), (1, 4, *grid))
    masks, _ = decoded(emulator, scores, mapping)
    assert wrong_pixels(masks[0], scores[0], mapping, VOID) == 0


@pytest.mark.parametrize("width", [255, 256, 260])
@pytest.mark.parametrize(("pitch", "shift"), [(0, 0), (9, 0), (16, 0), (0, 1), (0, 4), (13, 3)])
def test_any_address_and_pitch(emulator, width, pitch, shift):
    mapping = placement((50, width), (64, 256), POLICIES[2]).mapping(8)
    scores = noise(np.random.default_rng(width), (2, 5, 8, 32))
    masks, _ = decoded(emulator, scores, mapping, void=17, pitch=width + pitch, shift=shift)
    for mask, image in zip(masks, scores, strict=True):
        assert wrong_pixels(mask, image, mapping, 17) == 0


@pytest.mark.parametrize("factor", [3e38, 1e-30], ids=str)
def test_scores_at_the_ends_of_float32(emulator, factor):
    mapping = placement((100, 120), (64, 96), Resize()).mapping(8)
    scores = (np.random.default_rng(5).integers(-8, 9, (1, 7, 8, 12)) / 8 * factor).astype(np.float32)
    masks, not_finite = decoded(emulator, scores, mapping)
    assert not not_finite
    assert wrong_pixels(masks[0], scores[0], mapping, VOID) == 0


def test_every_half_precision_number_is_read_as_it_is(emulator):
    """All finite numbers as the scores of one class against the same numbers in float32."""
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)].reshape(1, 1, 496, -1)
    axes = [AxisMapping(1, 0, points, 0, points) for points in halves.shape[2:]]
    mapping = FrameMapping(*axes)
    rising = np.sort(halves.ravel()).reshape(halves.shape)
    for scores in (np.concatenate([halves, rising], axis=1), np.concatenate([rising, halves], axis=1)):
        np.testing.assert_array_equal(decoded(emulator, scores, mapping)[0][0], decode(scores[0], mapping, VOID))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_scores_that_are_no_numbers_are_reported(emulator, bad, dtype):
    mapping = placement((64, 64), (64, 64), Resize()).mapping(8)
    for place in [(0, 0, 0, 0), (1, 2, 7, 7), (1, 1, 3, 4)]:
        scores = noise(np.random.default_rng(0), (2, 3, 8, 8), dtype)
        assert not decoded(emulator, scores, mapping)[1]
        scores[place] = bad
        masks, not_finite = decoded(emulator, scores, mapping)
        assert not_finite
        assert masks.max() < 3


@pytest.mark.parametrize("frame_size", [(90, 300), (90, 30), (500, 1600)], ids=str)
def test_what_the_network_did_not_see_is_void(emulator, frame_size):
    """Whole blocks of the largest frame were not seen, along one axis or both."""
    mapping = placement(frame_size, (64, 64), POLICIES[2]).mapping(8)
    masks, _ = decoded(emulator, noise(np.random.default_rng(1), (1, 3, 8, 8)), mapping, void=17)
    rows, columns = seen_part(mapping)
    assert (masks[0, rows, columns] < 3).all()
    masks[0, rows, columns] = 17
    assert (masks == 17).all()


def test_scores_of_other_types_are_refused():
    mapping = placement((64, 64), (64, 64), Resize()).mapping(8)
    with pytest.raises(ValueError, match="float64 cannot be decoded; float32 or float16 was expected"):
        decode_launch(0, np.float64, (1, 3, 8, 8), mapping, VOID, 0, 0)


@pytest.mark.parametrize("barrier", [1, 2, 3])
def test_the_comparison_catches_a_missing_barrier(barrier, tmp_path):
    """Without it the mask depends on the order of the threads. (Without the first, nonsense would be an address.)"""
    parts = kernel_source("decode").split("__syncthreads();")
    assert len(parts) == 5
    parts[barrier : barrier + 2] = [parts[barrier] + parts[barrier + 1]]
    broken = Emulator(tmp_path, lambda _: "__syncthreads();".join(parts))
    mapping = placement((60, 70), (64, 64), Resize()).mapping(8)
    with pytest.raises(AssertionError):
        decoded(broken, noise(np.random.default_rng(0), (1, 5, 8, 8)), mapping)
