"""Everything that the backends do with TensorRT, done once with a stand-in of a version."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.artifacts.device import DeviceInfo
from fcn_edge.backends.base import Built
from fcn_edge.backends.cuda.device import Device as CudaDevice
from fcn_edge.backends.tensorrt import TensorRT, TensorRTRTX
from fcn_edge.backends.tensorrt.compile.compiler import build_plan
from fcn_edge.backends.tensorrt.compile.memory import FreeMemory
from fcn_edge.backends.tensorrt.compile.request import Request
from fcn_edge.backends.tensorrt.library import compute_capabilities, weak_flags
from fcn_edge.errors import EngineError, ModelError
from fcn_edge.testing.engine import fake_spec
from fcn_edge.testing.gpu import FakeGpu

from ..cuda.gpu import KERNELS
from .standin import Api, Touched, standin

RTX = DeviceInfo("cuda", "NVIDIA RTX GPU", "8.6/8.9")
ORIN = DeviceInfo("cuda", "Orin", "8.7")
BEST_CLASS = 3
LAYERS = ("pair", "dense", "depthwise", "relu", "sizes")


@dataclass
class Scene:
    """A TensorRT with a network of two convolutions, one of them depthwise, and what happens to it.

    Attributes:
        quantized: The dense convolution and the depthwise one have Q/DQ pairs.
        parses: Whether the parser takes the file, one try after the other.
        builds: Whether the builder makes a plan, one try after the other.
        says: What the builder says, severities and texts, one try after the other.
        plan_element: Type of the operands in the plan.
        islands: Nodes that the graph keeps in float32.
        layers: Those of the last network, by name: beside the convolutions a ReLU, and sizes that are made for it.
        bound: Types that outputs of layers were bound to, by name of the layer.
        described: The plan tells of its layers.
        names: Names of its layers.
        metadata: They have some.
        speaks_json: Its inspector does.
        flags: Builder flags that were set.
        cleared: Builder flags that were cleared.
        pools: Limits of memory pools that were set in the last configuration.
        network_flags: Flags that networks were made with.
        cached: What the timing cache was made of, one try after the other.
        takes_timings: Whether a timing cache is taken, one try after the other.
        valid: The plan may run here; only TensorRT-RTX tells.
        gpu: Runs the plan.
    """

    quantized: bool = True
    parses: list[bool] = field(default_factory=lambda: [True])
    builds: list[bool] = field(default_factory=lambda: [True])
    says: list[list[tuple[str, str]]] = field(default_factory=list)
    plan_element: str = "Int8"
    islands: frozenset[str] = frozenset()
    layers: dict[str, Any] = field(default_factory=dict)
    bound: dict[str, str] = field(default_factory=dict)
    described: bool = True
    names: tuple[str, ...] = ("dense", "depthwise")
    metadata: bool = True
    speaks_json: bool = True
    flags: list[str] = field(default_factory=list)
    cleared: list[str] = field(default_factory=list)
    pools: dict[str, int] = field(default_factory=dict)
    network_flags: list[int] = field(default_factory=list)
    cached: list[bytes] = field(default_factory=list)
    takes_timings: list[bool] = field(default_factory=list)
    valid: bool = True
    gpu: FakeGpu = field(default_factory=lambda: FakeGpu(KERNELS))

    def library(self, api: Api, touched: Touched | None = None) -> ModuleType:
        """The scene with the names of a version."""
        trt: ModuleType = standin(api, self._does(lambda: trt), touched)
        return trt

    def _does(self, module: Callable[[], Any]) -> dict[str, Any]:
        def create_network(builder: Any, flags: int = 0) -> Any:
            self.network_flags.append(flags)
            self.layers.clear()
            kind = module().INetworkDefinition
            return kind.__new__(kind)

        def build(builder: Any, network: Any, config: Any) -> bytes | None:
            logger = builder.made_of[0]
            monitor = config.progress_monitor
            monitor.phase_start("Building engine", None, 2)
            assert monitor.step_complete("Building engine", 0) is True
            monitor.phase_finish("Building engine")
            for severity, text in self.says.pop(0) if self.says else ():
                logger.log(SimpleNamespace(name=severity), text)
            return b"a plan" if self.builds.pop(0) else None

        def create_config(builder: Any) -> Any:
            self.pools.clear()
            return module().IBuilderConfig.__new__(module().IBuilderConfig)

        def tensor(name: str, shape: tuple[int, ...]) -> Any:
            made = module().ITensor.__new__(module().ITensor)
            made.name, made.shape = name, shape
            made.dtype = module().DataType.INT64 if name == "sizes.o" else module().DataType.HALF
            return made

        def bind(layer: Any, index: int, kind: Any) -> None:
            self.bound[layer.name] = kind.name

        def layer(network: Any, index: int) -> Any:
            name = LAYERS[index]
            if name in self.layers:
                return self.layers[name]
            made = self.layers[name] = module().ILayer.__new__(module().ILayer)
            kinds = module().LayerType
            made.type = {
                "pair": kinds.DEQUANTIZE if self.quantized else None,
                "relu": kinds.ACTIVATION,
                "sizes": kinds.GATHER,
            }.get(name, kinds.CONVOLUTION)
            made.name, made.num_outputs = name, 1
            made.metadata = "" if name == "pair" else f"[ONNX Layer: {'relu' if name == 'sizes' else name}]"
            if made.type is kinds.CONVOLUTION:
                # get_layer gives the base class; these belong to the subclass that the caller makes of it
                object.__setattr__(made, "num_groups", 1 if name == "dense" else 8)
                object.__setattr__(made, "kernel_size_nd", (3, 3))
            return made

        return {
            "Builder.create_network": create_network,
            "Builder.build_serialized_network": build,
            "OnnxParser.parse": lambda parser, model: self.parses.pop(0),
            "OnnxParser.num_errors": 1,
            "ParserError.desc": lambda error: "Assertion failed: scale: Scale coefficients must all be positive",
            "ParserError.node_name": lambda error: "dense.q",
            "ParserError.node_operator": lambda error: "QuantizeLinear",
            "INetworkDefinition.num_layers": len(LAYERS),
            "INetworkDefinition.get_layer": layer,
            "INetworkDefinition.get_input": lambda network, index: tensor("image", (-1, -1, 3)),
            "ILayer.get_output": lambda layer, index: tensor(f"{layer.name}.o", (1, 8, 16, 16)),
            "ILayer.set_output_type": bind,
            "IConvolutionLayer.set_output_type": bind,
            "IConvolutionLayer.get_input": lambda layer, index: tensor("pair.o", (1, 8, 16, 16)),
            "IConvolutionLayer.get_output": lambda layer, index: tensor(f"{layer.name}.o", (1, 8, 16, 16)),
            "IBuilderConfig.set_flag": lambda config, flag: self.flags.append(flag.name),
            "IBuilderConfig.clear_flag": lambda config, flag: self.cleared.append(flag.name),
            "IBuilderConfig.set_memory_pool_limit": lambda config, pool, size: self.pools.update({pool.name: size}),
            "Builder.create_builder_config": create_config,
            "IBuilderConfig.create_timing_cache": self._timing_cache(module),
            "IBuilderConfig.set_timing_cache": lambda config, cache, ignore: (
                self.takes_timings.pop(0) if self.takes_timings else True
            ),
            "ITimingCache.serialize": lambda cache: b"timings",
            "IRuntimeCache.serialize": lambda cache: b"kernels",
            "IRuntimeCache.deserialize": lambda cache, content: bytes(content) == b"kernels",
            "Runtime.deserialize_cuda_engine": None if self.described else (lambda runtime, plan: None),
            "EngineInspector.get_engine_information": lambda inspector, form: self._description(),
            **self._runs(module),
        }

    def _runs(self, module: Callable[[], Any]) -> dict[str, Any]:
        """What an engine of ``fake_spec()`` does, whose best class is everywhere the same."""
        spec = fake_spec()
        shapes = {"image": (*spec.size, 3), "scores": (len(spec.classes), *(side // spec.stride for side in spec.size))}
        pointers: dict[str, int] = {}

        def set_address(context: Any, name: str, pointer: int) -> bool:
            pointers[name] = pointer
            return True

        def execute(context: Any, stream: int) -> bool:
            def run() -> None:
                scores = self.gpu.memory.view(pointers["scores"], np.float32, shapes["scores"])
                scores[...] = 0
                scores[BEST_CLASS] = 1

            self.gpu.enqueue(stream, "network", run, tuple(pointers.values()))
            return True

        return {
            "ICudaEngine.num_io_tensors": len(shapes),
            "ICudaEngine.get_tensor_name": lambda engine, index: list(shapes)[index],
            "ICudaEngine.get_tensor_mode": lambda engine, name: (
                module().TensorIOMode.INPUT if name == "image" else module().TensorIOMode.OUTPUT
            ),
            "ICudaEngine.get_tensor_shape": lambda engine, name: shapes[name],
            "ICudaEngine.get_tensor_dtype": lambda engine, name: (
                module().DataType.UINT8 if name == "image" else module().DataType.FLOAT
            ),
            "IExecutionContext.set_tensor_address": set_address,
            "IExecutionContext.execute_async_v3": execute,
            "Runtime.get_engine_validity": lambda runtime, content: (
                (module().EngineValidity.VALID, 0) if self.valid else (module().EngineValidity.INVALID, 2)
            ),
        }

    def _timing_cache(self, module: Callable[[], Any]) -> Callable[..., Any]:
        def create(config: Any, content: bytes) -> Any:
            self.cached.append(content)
            return module().ITimingCache.__new__(module().ITimingCache)

        return create

    def _description(self) -> str:
        tensor = {"Name": "x", "Dimensions": [1, 8, 16, 16], "Format/Datatype": f"Row major {self.plan_element} format"}
        if not self.speaks_json:
            return "Layers:\n  dense"
        layers = [
            {
                "Name": name,
                "LayerType": "CaskConvolution",
                "Inputs": [tensor],
                "Outputs": [tensor],
                "Weights": {"Type": self.plan_element, "Count": 72},
                **({"Metadata": f"[ONNX Layer: {name}]"} if self.metadata else {}),
            }
            for name in self.names
        ]
        return json.dumps({"Layers": layers, "Bindings": ["image"]})

    def build(self, trt: ModuleType, directory: Path) -> tuple[Built, list[Any]]:
        """Build into an empty directory; gives the result and what was told of the progress."""
        onnx = directory.with_suffix(".onnx")
        onnx.write_bytes(b"the stand-in's parser does not read it")
        portable = bool(compute_capabilities(trt))
        request = Request(
            backend="tensorrt-rtx" if portable else "tensorrt",
            onnx=onnx,
            quantized=self.quantized,
            directory=directory,
            plan="model.plan",
            size=(64, 96),
            device=RTX if portable else ORIN,
            here=not portable,
        )
        told: list[Any] = []
        with (
            patch(
                "fcn_edge.backends.tensorrt.compile.compiler.free_memory",
                return_value=FreeMemory(4 << 30, self.gpu.facts.integrated),
            ),
            patch("fcn_edge.backends.tensorrt.compile.compiler.float32_islands", return_value=self.islands),
            patch.dict(os.environ, FCN_EDGE_CACHE=str(directory.parent / "cache")),
        ):
            return build_plan(trt, request, lambda *step: told.append(step)), told

    def run(self, trt: ModuleType, directory: Path, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The mask that the plan of a directory makes of a ``(H, W, 3)`` frame."""
        portable = bool(compute_capabilities(trt))
        with (
            patch("fcn_edge.backends.tensorrt.backend.library", return_value=trt),
            patch(
                "fcn_edge.backends.tensorrt.backend.open_device",
                side_effect=lambda index: CudaDevice(self.gpu, directory.parent / "cache"),
            ),
            patch.dict(os.environ, FCN_EDGE_CACHE=str(directory.parent / "cache")),
        ):
            backend = TensorRTRTX() if portable else TensorRT()
            with backend.open(directory, fake_spec(), fake_spec().size) as engine, engine.session() as session:
                return session.labels(frame)


def exercise(api: Api, directory: Path, touched: Touched | None = None) -> None:
    """Reach every use that the backends make of TensorRT.

    Args:
        api: Names and signatures of the version.
        directory: Empty.
        touched: Filled with what was asked of the library.
    """
    scenes = {
        "plain": Scene(),
        "second step": Scene(parses=[True, True], builds=[False, True], islands=frozenset({"dense", "relu"})),
        "refused": Scene(parses=[False, False]),
        "undescribed": Scene(described=False),
        "stale timings": Scene(takes_timings=[False, True]),
    }
    for name, scene in scenes.items():
        trt = scene.library(api, touched)
        fails = name == "refused" or (name == "second step" and weak_flags(trt) is None)
        (directory / name).mkdir()
        with pytest.raises(ModelError) if fails else nullcontext():
            scene.build(trt, directory / name)
    frame = np.zeros((48, 80, 3), np.uint8)
    for scene in (Scene(), Scene()):  # the second start finds what the first one compiled
        assert (scene.run(scene.library(api, touched), directory / "plain", frame) == BEST_CLASS).all()
    invalid = Scene(valid=False)
    trt = invalid.library(api, touched)
    if hasattr(trt, "EngineValidity"):
        with pytest.raises(EngineError, match="not built for this GPU"):
            invalid.run(trt, directory / "plain", frame)
