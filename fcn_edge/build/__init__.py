"""From a model to an engine directory."""

from __future__ import annotations

from fcn_edge.build.candidates import Candidate
from fcn_edge.build.engines import Build, build_engine
from fcn_edge.build.export import write_typed_onnx
from fcn_edge.build.plans import ENGINES
from fcn_edge.build.request import PRECISIONS, Request

__all__ = ["ENGINES", "PRECISIONS", "Build", "Candidate", "Request", "build_engine", "write_typed_onnx"]
