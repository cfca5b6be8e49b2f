"""What this machine has, line by line, and what fixes what is missing."""

from __future__ import annotations

from fcn_edge.doctor import devices, machine, opencv, software, streams
from fcn_edge.doctor.check import Check
from fcn_edge.doctor.memory import memory
from fcn_edge.doctor.nvidia import nvidia
from fcn_edge.doctor.shipped import shipped
from fcn_edge.system.facts import MachineFacts

__all__ = ["all_checks"]


WEB = ("starlette", "uvicorn", "websockets", "prometheus_client")


def all_checks(facts: MachineFacts) -> list[Check]:
    """Every check, in the order in which people read them.

    What is judged is the machine that ``facts`` describe; beside it, this installation's backends say whether they
    can run, its shipped models are read, and the video encoder of this machine is tried.
    """
    clash = software.rivals("onnxruntime", "onnxruntime-gpu", facts)
    training = ("torch", "onnx", "onnxscript", "safetensors")
    account = streams.groups(facts)
    return [
        software.python(facts),
        software.base(facts),
        *software.backends(facts),
        *([clash] if clash else []),
        opencv.opencv(facts),
        opencv.video(facts),
        software.extra("streams", ("av",), "network cameras", facts),
        software.extra("web", WEB, "the live page", facts),
        streams.gstreamer(facts),
        streams.encoder(facts),
        *shipped(),
        software.extra("export", training, "train and export", facts),
        machine.cores(facts),
        machine.instructions(facts),
        memory(facts),
        machine.disk(facts),
        machine.thread_variables(facts),
        *nvidia(facts),
        devices.cameras(facts),
        *([account] if account else []),
        devices.display(facts),
    ]
