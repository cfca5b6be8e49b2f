from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from fcn_edge.quantization.graph import Conv
from fcn_edge.quantization.profiles import PROFILES, profile_for, takes
from fcn_edge.system import cpu

SATURATES = {
    "amx": False,
    "avx512_vnni": False,
    "avx_vnni": False,
    "avx512": True,
    "avx2": True,
    "i8mm": False,
    "dotprod": False,
    "neon": False,
    "x86_64": True,
    "AMD64": True,
    "aarch64": False,
    "arm64": False,
}
"""Every class of ``system.cpu``, and the architectures that stand in where a processor has no class."""


def test_every_class_of_processors_is_decided_on() -> None:
    assert {kind for kind, _ in cpu._CLASSES} <= set(SATURATES)


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
@pytest.mark.parametrize(("instructions", "saturates"), SATURATES.items(), ids=SATURATES)
def test_processors_that_saturate_get_seven_bits(backend: str, instructions: str, saturates: bool) -> None:
    profile = profile_for(backend, instructions)
    assert profile.name == (f"{backend}-7bit" if saturates else backend)
    assert profile.weight_limit == (63 if saturates else 127)


@pytest.mark.parametrize("backend", ["tensorrt", "tensorrt-rtx"])
@pytest.mark.parametrize("capability", ["8.7", "7.5", "11.0"])
def test_gpus_get_the_profile_of_tensorrt(backend: str, capability: str) -> None:
    assert profile_for(backend, capability).name == "tensorrt"


def test_profiles_bear_their_names() -> None:
    assert {name: profile.name for name, profile in PROFILES.items()} == {name: name for name in PROFILES}


@pytest.mark.parametrize(
    ("shape", "groups", "tensorrt", "others"),
    [
        ((32, 3, 3, 3), 1, True, True),
        ((64, 64, 3, 3), 1, True, True),
        ((16, 16, 1, 1), 1, True, True),
        ((64, 16, 3, 3), 4, True, True),
        ((64, 1, 3, 3), 64, False, True),
        ((128, 1, 3, 3), 64, False, True),
        ((11, 512, 1, 1), 1, False, False),
        ((19, 512, 1, 1), 1, True, True),
        ((64, 8, 1, 1), 1, False, False),
        ((8, 3, 3, 3), 1, False, False),
    ],
)
def test_which_convolutions_are_quantized(shape, groups: int, tensorrt: bool, others: bool) -> None:
    node = helper.make_node("Conv", ["a", "w"], ["b"], name="b")
    conv = Conv(node, "a", np.zeros(shape, np.float32), None, groups, None)
    wanted = {name: tensorrt if name == "tensorrt" else others for name in PROFILES}
    assert {name: takes(profile, conv) for name, profile in PROFILES.items()} == wanted
