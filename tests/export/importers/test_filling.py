from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from fcn_edge.artifacts.weights import weights_of
from fcn_edge.errors import CheckpointError
from fcn_edge.export.importers.filling import fill


@pytest.fixture
def net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))


def saved(state: dict[str, torch.Tensor], path: Path) -> Path:
    torch.save(state, path)
    return path


def test_fills_what_is_there_and_counts_no_batches(net: nn.Module, tmp_path: Path) -> None:
    state = {name: torch.randn(value.shape) for name, value in net.state_dict().items() if "num_batches" not in name}
    path = saved({**state, "criterion.weight": torch.ones(4), "n_averaged": torch.tensor(3)}, tmp_path / "net.pth")
    with torch.device("meta"):
        empty = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    for each in (net, empty):
        fill(each, weights_of(path), "a net")
        assert all(torch.equal(each.state_dict()[name], value) for name, value in state.items())
    assert empty[1].num_batches_tracked == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"0.weight": None}, r"looks like a net, but does not fit it: it lacks 0\.weight"),
        ({"2.bias": torch.ones(4)}, r"it also holds 2\.bias"),
        ({"0.bias": torch.ones(5)}, r"its 0\.bias is \(5,\), and \(4,\) was expected"),
        (
            {"0.bias": torch.tensor([1, torch.nan, 2, 3]), "1.weight": torch.full((4,), torch.inf)},
            "NaN .* in 0.bias, 1",
        ),
        ({"0.weight": torch.ones(4, 3, 1, 1, dtype=torch.int8)}, r"stores 0\.weight as int8; floating-point weights"),
    ],
)
def test_what_does_not_fit_is_named(net: nn.Module, tmp_path: Path, changes: dict[str, object], message: str) -> None:
    state = {name: value for name, value in {**net.state_dict(), **changes}.items() if value is not None}
    with pytest.raises(CheckpointError, match=message):
        fill(net, weights_of(saved(state, tmp_path / "net.pth")), "a net")


def test_a_small_file_takes_little_memory(tmp_path: Path) -> None:
    with torch.device("meta"):
        net = nn.Sequential(*(nn.Linear(2000, 2000, bias=False) for _ in range(5)))
    one = torch.zeros(1).expand(2000, 2000)
    path = saved({f"{index}.weight": one for index in range(5)}, tmp_path / "net.pth")
    assert path.stat().st_size < 10_000
    with pytest.raises(CheckpointError, match=r"would unpack 0\.0 MB to 80 MB of weights"):
        fill(net, weights_of(path), "a net")
