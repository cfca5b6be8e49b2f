"""From an ONNX file to TensorRT's network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fcn_edge.artifacts.spec import Size
from fcn_edge.backends.contents import content_of
from fcn_edge.backends.tensorrt.diagnostics import misread, unreadable
from fcn_edge.backends.tensorrt.log import Log

__all__ = ["Network", "network_of_onnx"]


@dataclass(frozen=True)
class Network:
    """A network and what must live as long as it.

    Attributes:
        definition: The network.
        parser: Owns the network's weights.
    """

    definition: Any
    parser: Any


def network_of_onnx(trt: Any, builder: Any, log: Log, path: Path, size: Size, flags: int) -> Network:
    """The network of an ONNX file, at a size.

    The size is set on the network's input: what has no open axis needs no optimization profile, and the builder can
    choose kernels for that size alone.

    Args:
        trt: The library.
        builder: Makes the network.
        log: What the library says goes there.
        path: The file; one ``(height, width, 3)`` image in.
        size: ``(height, width)`` of it.
        flags: Creation flags of the network.

    Raises:
        ModelError: TensorRT cannot read the file, or would read something else in it than is meant.
    """
    definition = builder.create_network(flags)
    parser = trt.OnnxParser(definition, log.logger)
    parsed = parser.parse(content_of(path))
    if not parsed:
        raise unreadable(trt, path, [parser.get_error(number) for number in range(parser.num_errors)])
    problem = misread(trt, path, log.take())
    if problem is not None:
        raise problem
    definition.get_input(0).shape = (*size, 3)
    return Network(definition, parser)
