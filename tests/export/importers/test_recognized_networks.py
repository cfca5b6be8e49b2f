"""Networks as torch holds and saves them: ours are not taken for another's, and the ways round work."""

from __future__ import annotations

import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import onnx
import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from fcn_edge.export.importers.recognized import NETWORKS, recognized_file, recognized_network
from fcn_edge.nets.fcn import FCN

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("decoder", ["fcn8s", "fcn32s"])
def test_networks_of_ours_are_left_alone(decoder: str) -> None:
    with torch.device("meta"):
        state = FCN("mobilenet_v2", (decoder,), 11).state_dict()
    keys = {key: tuple(value.shape) for key, value in state.items()}
    assert recognized_network(keys, ("argparse.Namespace", "collections.OrderedDict")) is None


class Net(nn.Module):
    """A convolution whose scores are brought to the image's size, as networks of all families do in the end."""

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Conv2d(3, 5, 3, stride=2, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return nn.functional.interpolate(self.score(image), size=(480, 640), mode="bilinear", align_corners=False)


def saved(kind: str, path: Path) -> tuple[str, ...]:
    """Save a network in a way that torch has; the names of the archive's members."""
    net, image = Net().eval(), torch.zeros(1, 3, 480, 640)
    if kind == "TorchScript":
        torch.jit.trace(net, image).save(str(path))
    elif kind == "torch.export":
        torch.export.save(torch.export.export(net, (image,)), path)
    else:
        torch.save(nn.DataParallel(net), path)
    with zipfile.ZipFile(path) as archive:
        return tuple(archive.namelist())


@pytest.mark.system
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("kind", ["TorchScript", "torch.export", "FCN-pytorch, whole"])
def test_the_command_that_the_fix_names_writes_the_scores(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "my net.pt"
    members = saved(kind, path)
    found = recognized_file(path.read_bytes()[:16], path.name, members)
    if found is None:
        found = next(row.network for row in NETWORKS if row.network.name == kind)
    assert found.name == kind
    command = found.error(path).fix.partition("python -c ")[2].rpartition(", and give")[0]
    # a pickled network needs its class where the command runs: here that is this file
    program = (sys.executable, "-c", *shlex.split(command))
    subprocess.run(program, cwd=tmp_path, check=True, capture_output=True, env={"PYTHONPATH": str(ROOT)})
    graph = onnx.load(tmp_path / "net.onnx").graph
    assert [graph.input[0].name, graph.output[0].name] == ["image", "scores"]
    assert [size.dim_value for size in graph.output[0].type.tensor_type.shape.dim] == [1, 5, 480, 640]
    assert graph.node[-1].op_type == "Resize"
