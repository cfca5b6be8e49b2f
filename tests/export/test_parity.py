from __future__ import annotations

import copy
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from fcn_edge.artifacts.models import resolved_model
from fcn_edge.artifacts.spec import Resize
from fcn_edge.datasets.plain_images import image_files, images_of
from fcn_edge.datasets.scenes import rendered_images
from fcn_edge.errors import DatasetError, GuardError, ModelError
from fcn_edge.export.parity import LEAST_AGREEMENT, Parity, parity_of_onnx
from fcn_edge.export.rewrite import set_spec

from ..exported_networks import Exported


@pytest.fixture
def other_bias(small: Exported):
    """The network with one score raised everywhere."""
    import torch

    from fcn_edge.export.torch_network import own_network

    def net(amount: float):
        other = copy.deepcopy(small.net)
        with torch.no_grad():
            other.decoders["fcn8s"].score8.bias[0] += amount
        return own_network(other, small.spec)

    return net


def test_difference_is_that_of_the_scores(small: Exported, other_bias, images_of_size) -> None:
    parity = parity_of_onnx(small.path, other_bias(100.0), images_of_size((90, 150)))
    assert parity.max_abs_diff == pytest.approx(100.0, abs=0.01)
    assert parity.classes == (0,)
    assert parity.images == 3


def test_agreement_counts_pixels_of_the_frame(small: Exported, other_bias, images_of_size) -> None:
    """A frame that fills the upper half of the input: the fill below it does not count."""
    frames = [np.ascontiguousarray(image[:48]) for image in images_of_size((96, 160))]
    same = parity_of_onnx(small.path, small.network, frames)
    assert same.label_agreement == 1.0
    all_zero = parity_of_onnx(small.path, other_bias(100.0), frames)
    from fcn_edge.backends.onnxruntime.cpu import OnnxRuntime

    with OnnxRuntime().open_onnx(small.path, small.spec, small.spec.size) as engine, engine.session() as session:
        masks = np.stack([session.labels(frame) for frame in frames])
    assert all_zero.label_agreement == pytest.approx((masks == 0).mean(), abs=1e-9)
    assert 0 < all_zero.label_agreement < 0.9


def test_pixels_outside_the_region_do_not_count(small: Exported, other_bias, images_of_size, tmp_path: Path) -> None:
    model = onnx.load_model(small.path)
    set_spec(model, small.spec.replace(resize=Resize(policy="roi", roi=(0.0, 0.0, 0.5, 1.0)).model_dump()))
    path = tmp_path / "roi.onnx"
    onnx.save_model(model, path)
    frames = images_of_size((96, 160))
    halves = [np.ascontiguousarray(frame[:48]) for frame in frames]
    assert parity_of_onnx(path, other_bias(1.0), frames) == parity_of_onnx(small.path, other_bias(1.0), halves)


def test_no_images_are_an_error(small: Exported) -> None:
    with pytest.raises(DatasetError, match="no images"):
        parity_of_onnx(small.path, small.network, [])


def test_a_file_that_gives_nan_is_refused(small: Exported, images_of_size, tmp_path: Path) -> None:
    model = onnx.load_model(small.path)
    bias = next(value for value in model.graph.initializer if value.name == "decoder.score8.bias")
    bias.CopyFrom(onnx.numpy_helper.from_array(np.full(bias.dims, np.nan, np.float32), bias.name))
    path = tmp_path / "nan.onnx"
    onnx.save_model(model, path)
    with pytest.raises(GuardError, match="exported model gives NaN"):
        parity_of_onnx(path, small.network, images_of_size((90, 150)))


def test_least_agreement_is_enough() -> None:
    Parity(0.1, LEAST_AGREEMENT, 8, (0, 1)).require()
    with pytest.raises(GuardError, match=r"99\.899%"):
        Parity(0.1, LEAST_AGREEMENT - 1e-5, 8, (0, 1)).require()


def test_rendered_images_differ() -> None:
    images = list(rendered_images((64, 96), range(3)))
    assert [image.shape for image in images] == [(64, 96, 3)] * 3
    assert not np.array_equal(images[0], images[1])


def test_image_files_are_spread_over_a_folder(tmp_path: Path) -> None:
    for index in range(10):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.full((4, 6, 3), index, np.uint8))
    (tmp_path / "notes.txt").write_text("not an image")
    assert [path.stem for path in image_files(tmp_path)] == list("0123456789")
    assert [path.stem for path in image_files(tmp_path, most=4)] == list("0257")
    assert [int(image[0, 0, 0]) for image in images_of(image_files(tmp_path, most=4))] == [0, 2, 5, 7]


def test_image_files_of_a_split_are_its_images(tmp_path: Path) -> None:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "a.png"), np.zeros((4, 6, 3), np.uint8))
    assert image_files(tmp_path) == [tmp_path / "images" / "a.png"]


def test_folders_without_images_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no images"):
        image_files(tmp_path)
    with pytest.raises(DatasetError, match="no directory of images"):
        image_files(tmp_path / "missing")


def test_is_of_the_file_that_was_opened(small: Exported, images_of_size, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(small.path.read_bytes())
    model, frames = resolved_model(path), images_of_size((90, 150))
    assert parity_of_onnx(model, small.network, frames) == parity_of_onnx(small.path, small.network, frames)
    path.write_bytes(b"another")
    with pytest.raises(ModelError, match="changed"):
        parity_of_onnx(model, small.network, frames)
