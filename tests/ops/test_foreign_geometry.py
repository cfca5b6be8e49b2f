"""Masks of networks that lay their scores otherwise than ours, against their own last layers in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.artifacts.geometry import Geometry
from fcn_edge.artifacts.spec import Resize
from fcn_edge.ops.decode import decode
from fcn_edge.ops.geometry import placement
from fcn_edge.testing.engine import FakeSession, fake_spec

from .dense_reference import TOLERANCE, wrong_pixels

Scores = NDArray[np.float64]
Upsampling = Callable[[Scores, int], Scores]
"""Scores along their last axis to as many pixels as the image has."""

VOID = 255
POLICIES = [Resize(), Resize(policy="stretch"), Resize(policy="roi", roi=(0.25, 0.1, 0.9, 0.8))]


def deconvolution(stride: int, crop: int) -> Upsampling:
    """Caffe's bilinear deconvolution without padding, and a crop."""

    def upsampled(scores: Scores, side: int) -> Scores:
        kernel = 1 - np.abs(np.arange(2 * stride) - (stride - 0.5)) / stride
        whole = np.zeros((*scores.shape[:-1], stride * (scores.shape[-1] - 1) + 2 * stride))
        for cell in range(scores.shape[-1]):
            whole[..., cell * stride : cell * stride + 2 * stride] += scores[..., cell, None] * kernel
        assert whole.shape[-1] >= crop + side
        return whole[..., crop : crop + side]

    return upsampled


def resize(corners: bool) -> Upsampling:
    """Bilinear resize of an image, ``align_corners`` or not."""

    def upsampled(scores: Scores, side: int) -> Scores:
        cells = scores.shape[-1]
        if corners:
            places = np.linspace(0, cells - 1, side)
        else:
            places = np.clip((np.arange(side) + 0.5) * cells / side - 0.5, 0, cells - 1)
        low = np.minimum(places.astype(int), max(cells - 2, 0))
        share = places - low
        return scores[..., low] * (1 - share) + scores[..., np.minimum(low + 1, cells - 1)] * share

    return upsampled


def caffe(stride: int, first: float, extra: int) -> Geometry:
    return Geometry(align="stride", first=(first, first), padding=198, unit=32, extra_cells=extra, size_multiple=1)


NETWORKS: dict[str, tuple[int, Geometry, Upsampling]] = {
    "caffe fcn32s": (32, caffe(32, 12.5, -6), deconvolution(32, 19)),
    "caffe fcn16s": (16, caffe(16, -11.5, -10), deconvolution(16, 27)),
    "caffe fcn8s": (8, caffe(8, -23.5, -18), deconvolution(8, 31)),
    "torchvision": (8, Geometry(size_multiple=1), resize(corners=False)),
    "align_corners": (
        32,
        Geometry(align="corners", padding=198, unit=32, extra_cells=-6, size_multiple=1),
        resize(corners=True),
    ),
}


def full_size(scores: NDArray[np.float32], upsampled: Upsampling, size: tuple[int, int]) -> Scores:
    columns = upsampled(scores.astype(np.float64), size[1])
    return np.swapaxes(upsampled(np.swapaxes(columns, 1, 2), size[0]), 1, 2)


def wrong(labels: NDArray[np.uint8], full: Scores) -> int:
    """Pixels whose label is beaten. Where a deconvolution fades out, the tolerance fades with it."""
    theirs = np.take_along_axis(full, labels[None].astype(np.intp), axis=0)[0]
    return int(np.count_nonzero(full.max(axis=0) - theirs > TOLERANCE * np.abs(full).max()))


@pytest.mark.parametrize("size", [(375, 500), (360, 480), (96, 64), (65, 33)])
@pytest.mark.parametrize("name", NETWORKS)
def test_mask_is_that_of_the_network_s_own_upsampling(name: str, size: tuple[int, int]) -> None:
    stride, geometry, upsampled = NETWORKS[name]
    spec = fake_spec(stride=stride, geometry=geometry, size=size, family=name)
    rows, columns = spec.grid_size(size)
    scores = np.random.default_rng(0).standard_normal((len(spec.classes), rows, columns)).astype(np.float32)
    with FakeSession(spec, size, scores=scores) as session:
        labels = session.labels(np.zeros((*size, 3), np.uint8))
    assert wrong(labels, full_size(scores, upsampled, size)) == 0


@pytest.mark.parametrize("resize_policy", POLICIES, ids=lambda policy: policy.policy)
@pytest.mark.parametrize("height", [360, 540, 720])
@pytest.mark.parametrize("name", NETWORKS)
def test_frames_of_any_size(name: str, height: int, resize_policy: Resize) -> None:
    stride, geometry, _ = NETWORKS[name]
    network = (250, 163)
    place = placement((height, 225), network, resize_policy)
    mapping = place.mapping(stride, geometry)
    grid = geometry.cells(network[0], stride), geometry.cells(network[1], stride)
    scores = np.random.default_rng(height).standard_normal((5, *grid)).astype(np.float32)
    assert wrong_pixels(decode(scores, mapping, VOID), scores, mapping, VOID) == 0
    # a frame pixel lies where its place on the input lies
    top, ratio = place.region[0], place.content_size[0] / (place.region[2] - place.region[0])
    axis = geometry.rows(network[0], stride)
    for pixel in (mapping.rows.start, mapping.rows.stop - 1):
        position = (pixel - top + 0.5) * ratio - 0.5
        expected = (position + 0.5) / axis.step + axis.shift
        assert mapping.rows.scale * pixel + mapping.rows.offset == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("stride", [8, 16, 32])
def test_own_networks_keep_their_mapping_to_the_bit(stride: int) -> None:
    for policy in POLICIES:
        for frame in ((360, 640), (540, 960), (721, 1283)):
            place = placement(frame, (480, 640), policy)
            for axis, (start, stop, content) in zip(
                (place.mapping(stride).rows, place.mapping(stride).columns),
                ((*place.region[::2], place.content_size[0]), (*place.region[1::2], place.content_size[1])),
                strict=True,
            ):
                scale = content / (stop - start) / stride
                assert (axis.scale, axis.offset) == (scale, (0.5 - start) * scale - 0.5)
