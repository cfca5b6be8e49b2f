from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.errors import UsageError
from fcn_edge.nets.checkpoints import save_checkpoint
from fcn_edge.nets.fcn import FCN
from fcn_edge.training.options import TrainingOptions, checked_options, decoder_of_checkpoint
from fcn_edge.training.recipe import Recipe, Stage


def stages_of(
    decoder: str, epochs: tuple[int, ...], lr: float, start: str | None = None, mode: str = "staged"
) -> tuple[Stage, ...]:
    return checked_options(encoder="vgg16", decoder=decoder, epochs=epochs, lr=lr, mode=mode).stages(start)


def test_the_paper_stages() -> None:
    stages = stages_of("fcn8s", (30, 15, 20), 8e-4)
    assert [(stage.decoders, stage.epochs, stage.lr, stage.freeze_batchnorm) for stage in stages] == [
        (("fcn32s",), 30, 8e-4, False),
        (("fcn16s",), 15, 4e-4, True),
        (("fcn8s",), 20, 4e-4, True),
    ]
    assert [stage.name for stage in stages_of("fcn16s", (5,), 1e-3)] == ["fcn32s", "fcn16s"]


def test_all_decoders_at_once() -> None:
    (stage,) = stages_of("fcn8s", (10,), 1e-3, mode="at-once")
    assert (stage.decoders, stage.lr, stage.freeze_batchnorm) == (("fcn32s", "fcn16s", "fcn8s"), 1e-3, False)


@pytest.mark.parametrize(
    ("start", "names", "later"),
    [
        ("fcn32s", ["fcn16s", "fcn8s"], [True, True]),
        ("fcn16s", ["fcn8s"], [True]),
        ("fcn8s", ["fcn8s"], [False]),
    ],
)
def test_stages_after_a_checkpoint(start: str, names: list[str], later: list[bool]) -> None:
    stages = stages_of("fcn8s", (5,), 1e-3, start)
    assert [stage.name for stage in stages] == names
    assert [stage.freeze_batchnorm for stage in stages] == later
    assert [stage.lr for stage in stages] == [5e-4 if each else 1e-3 for each in later]


def test_a_finer_checkpoint_goes_on_as_a_coarser_net() -> None:
    (stage,) = stages_of("fcn32s", (5,), 1e-3, "fcn8s")
    assert (stage.decoders, stage.freeze_batchnorm) == (("fcn32s",), False)


def test_as_many_numbers_of_epochs_as_stages() -> None:
    with pytest.raises(UsageError, match="2 numbers of epochs were given for 3 stages: fcn32s, fcn16s, fcn8s"):
        stages_of("fcn8s", (1, 2), 1e-3)


@pytest.mark.parametrize(("batch", "micro_batch"), [(8, 4), (6, 3), (2, 2), (7, 1), (9, 3), (1, 1)])
def test_the_micro_batch_divides_the_batch(batch: int, micro_batch: int) -> None:
    options = TrainingOptions(encoder="vgg16", decoder="fcn32s", batch=batch)
    assert options.recipe().micro_batch == micro_batch


def test_the_recipe_has_the_settings_of_the_options() -> None:
    options = TrainingOptions(encoder="vgg16", decoder="fcn16s", epochs=(2, 1), micro_batch=2, scales=(1, 2), seed=5)
    recipe = options.recipe()
    assert recipe == Recipe(
        encoder="vgg16", stages=options.stages(), batch=8, micro_batch=2, scales=(1, 2), seed=5,
        size=(384, 480), crop=(384, 480),
    )  # fmt: skip


def test_sizes_that_were_left_out_fit_the_images() -> None:
    plain = TrainingOptions(encoder="vgg16", decoder="fcn16s")
    assert plain.recipe(images=(720, 1280)).size == plain.recipe(images=(720, 1280)).crop == (320, 576)
    cropped = TrainingOptions(encoder="vgg16", decoder="fcn16s", crop=(64, 96))
    assert (cropped.recipe(images=(100, 100)).size, cropped.recipe(images=(100, 100)).crop) == ((128, 128), (64, 96))
    sized = TrainingOptions(encoder="vgg16", decoder="fcn16s", size=(480, 640))
    assert sized.recipe(images=(100, 100)).size == sized.recipe(images=(100, 100)).crop == (480, 640)


def test_a_single_0_initializes_the_decoder_alone() -> None:
    for mode in ("staged", "at-once"):
        (stage,) = stages_of("fcn8s", (0,), 1e-3, mode=mode)
        assert (stage.decoders, stage.epochs, stage.freeze_batchnorm) == (("fcn8s",), 0, False)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"decoder": "fcn4s"}, "decoder: 'fcn32s'"),
        ({"epochs": (1, -1)}, "epochs.1: a number of at least 0"),
        ({"epochs": ()}, "epochs: at least 1 were expected, not 0"),
        ({"scales": (2, 1)}, r"scales must be \(smallest, largest\)"),
        ({"momentum": 0.9}, "momentum: there is no such key"),
    ],
)
def test_options_that_make_no_training(values: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        checked_options(**{"encoder": "vgg16", "decoder": "fcn32s", **values})


def test_a_micro_batch_that_does_not_divide_the_batch() -> None:
    options = TrainingOptions(encoder="vgg16", decoder="fcn32s", batch=4, micro_batch=3)
    with pytest.raises(UsageError, match=r"batch \(4\) must be a multiple of micro_batch \(3\)"):
        options.recipe()


def test_a_checkpoint_is_gone_on_from(tmp_path: Path) -> None:
    options = TrainingOptions(encoder="mobilenet_v2", decoder="fcn16s")
    coarse = tmp_path / "coarse.safetensors"
    spec = ModelSpec(
        name="x", encoder="mobilenet_v2", decoder="fcn32s", stride=32, size=(64, 96),
        classes=("a", "b"), palette=((0, 0, 0), (9, 9, 9)), void=255,
    )  # fmt: skip
    save_checkpoint(coarse, FCN("mobilenet_v2", ("fcn32s",), 2), spec)
    assert decoder_of_checkpoint(coarse) == "fcn32s"
    assert [stage.name for stage in options.recipe(coarse).stages] == ["fcn16s"]
    assert options.recipe(coarse, images=(720, 1280)).size == (64, 96), "that which its scores belong to"


@pytest.mark.parametrize("name", ["weights.npz", "weights.safetensors"])
def test_weights_of_an_encoder_begin_with_the_first_stage(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    assert decoder_of_checkpoint(tmp_path / name) is None
    options = TrainingOptions(encoder="mobilenet_v2", decoder="fcn16s")
    assert [stage.name for stage in options.recipe(tmp_path / name).stages] == ["fcn32s", "fcn16s"]
