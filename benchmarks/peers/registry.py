"""All peers by name. A module is imported only where one of its peers runs."""

from __future__ import annotations

from importlib import import_module

from benchmarks.peers.peer import Peer

__all__ = ["PEERS", "peer_class"]

PEERS = {
    "ours-onnxruntime": "ours:OnnxRuntime",
    "ours-openvino": "ours:OpenVino",
    "ours-int8": "ours:Int8",
    "torch": "torch_net:TorchEager",
    "torch-compiled": "torch_net:TorchCompiled",
    "onnxruntime": "onnxruntime_usual:UpsamplingInGraph",
    "onnxruntime-argmax": "onnxruntime_usual:ArgMaxInGraph",
    "openvino": "openvino_direct:OpenVinoDirect",
    "model-api": "model_api:ModelApi",
    "model-api-own": "model_api:ModelApiAsItComes",
    "opencv-dnn": "opencv_dnn:OpenCvDnn",
    "opencv-dnn-classic": "opencv_dnn:OpenCvDnnClassic",
    "ours-onnxruntime-stream": "ours:OnnxRuntimeStream",
    "ours-openvino-stream": "ours:OpenVinoStream",
    "model-api-stream": "model_api:ModelApiStream",
    "ours-onnxruntime-network": "ours:OnnxRuntimeNetwork",
    "ours-openvino-network": "ours:OpenVinoNetwork",
    "yolo-predict": "yolo:YoloPredict",
    "yolo-network": "yolo:YoloNetwork",
}
"""Module of ``ways`` and class by name, in the order of tables."""


def peer_class(name: str) -> type[Peer]:
    """The class of a peer."""
    module, _, kind = PEERS[name].partition(":")
    found: type[Peer] = getattr(import_module(f"benchmarks.peers.ways.{module}"), kind)
    assert found.name == name
    return found
