"""The checks of a machine with an NVIDIA GPU; a single line where there is none."""

from __future__ import annotations

from fcn_edge.doctor import cuda
from fcn_edge.doctor.check import Check
from fcn_edge.doctor.gpu import gpu
from fcn_edge.doctor.jetson import jetpack
from fcn_edge.doctor.memory import build_memory
from fcn_edge.doctor.power import power_mode
from fcn_edge.doctor.streams import video_engine
from fcn_edge.doctor.tensorrt import tensorrt
from fcn_edge.system.facts import MachineFacts

__all__ = ["nvidia"]


def nvidia(facts: MachineFacts) -> list[Check]:
    """Every check of the GPU and of what runs models on it, in the order in which they are to be fixed."""
    device = gpu(facts)
    if facts.nvidia is None:
        return [device]
    if facts.jetson is None:
        if not device.ok:  # nothing else can be used before that is fixed
            return [device]
        return [
            device,
            tensorrt(facts),
            cuda.bindings(facts.nvidia, facts.software, facts.environment.get("FCN_EDGE_CUDA", "")),
            cuda.onnxruntime_gpu(facts.nvidia, facts.software),
        ]
    board = [device, jetpack(facts.jetson, facts)]
    if facts.jetson.too_old:
        return board
    rest = [
        tensorrt(facts),
        cuda.bindings(facts.nvidia, facts.software, facts.environment.get("FCN_EDGE_CUDA", "")),
        power_mode(facts.jetson),
        build_memory(facts),
        video_engine(facts.jetson, facts),
    ]
    return board + [check for check in rest if check is not None]
