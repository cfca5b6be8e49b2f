from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from fcn_edge.errors import UsageError
from fcn_edge.training.outputs import check_training_outputs
from fcn_edge.training.recipe import Recipe, Stage

TWO = Recipe(
    encoder="mobilenet_v2",
    stages=(Stage(decoders=("fcn32s",), epochs=1, lr=1e-3), Stage(decoders=("fcn16s",), epochs=1, lr=1e-3)),
)


@pytest.mark.parametrize("content", [b"name,price\nscrew,3\n", b"stage", b"\xff\xfe\x00"])
def test_a_foreign_table_beside_the_output_is_left_alone(tmp_path: Path, content: bytes) -> None:
    table = tmp_path / "results.csv"
    table.write_bytes(content)
    with pytest.raises(UsageError, match=r"results\.csv is there and is no log of a training"):
        check_training_outputs(TWO, tmp_path / "results.safetensors", (), ())
    assert table.read_bytes() == content


@pytest.mark.parametrize(
    "content", ["", "stage,epoch,loss,lr,decoder,val_miou,seconds,finished\n", "stage,epoch,loss,lr,more\n"]
)
def test_a_log_of_any_version_may_be_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / "net.csv").write_text(content)
    check_training_outputs(TWO, tmp_path / "net.safetensors", (), ())


@pytest.mark.parametrize("name", ["net.safetensors", "net.fcn32s.safetensors", "net.csv"])
def test_every_output_is_tried_before_the_first_epoch(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(UsageError, match="is a directory"):
        check_training_outputs(TWO, tmp_path / "net.safetensors", (), ())


@pytest.mark.parametrize("name", ["net.safetensors", "net.fcn32s.safetensors"])
def test_no_input_is_replaced_by_an_output(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"weights")
    (tmp_path / "link.safetensors").symlink_to(name)
    link = tmp_path / "link.safetensors"
    (tmp_path / "first.safetensors").write_bytes(b"weights")
    several = (tmp_path / "first.safetensors", link)
    for init, teachers, what in (
        ((link,), (), "file of first weights"),
        (several, (), "file of first weights 2"),
        ((), (link,), "teacher 1"),
    ):
        with pytest.raises(UsageError, match=rf"{name} is the {what} and would be replaced by the checkpoint"):
            check_training_outputs(TWO, tmp_path / "net.safetensors", init, teachers)
        check_training_outputs(TWO, tmp_path / "other.safetensors", init, teachers)


def test_a_directory_that_is_to_be_made_is_not_made_yet(tmp_path: Path) -> None:
    check_training_outputs(TWO, tmp_path / "new" / "er" / "net.safetensors", (), ())
    assert not list(tmp_path.iterdir())
