"""From a model to an engine directory."""

from __future__ import annotations

from fcn_edge.builder.build import Build, build_engine
from fcn_edge.builder.candidates import ENGINES
from fcn_edge.builder.options import PRECISIONS, BuildRequest
from fcn_edge.builder.report import CandidateReport
from fcn_edge.builder.typed_export import write_typed_onnx

__all__ = ["ENGINES", "PRECISIONS", "Build", "CandidateReport", "BuildRequest", "build_engine", "write_typed_onnx"]
