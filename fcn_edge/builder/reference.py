"""The float network that candidates are judged against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from fcn_edge.artifacts.models import Model
from fcn_edge.artifacts.spec import Size
from fcn_edge.backends import registry
from fcn_edge.backends.base import Engine, Session
from fcn_edge.backends.options import RunOptions
from fcn_edge.builder.candidates import Candidate
from fcn_edge.builder.options import BuildRequest
from fcn_edge.errors import MissingExtraError, UsageError

__all__ = ["Reference", "opened_reference"]


@dataclass(frozen=True)
class Reference:
    """The float network, running.

    Attributes:
        backend: Name of the backend that runs it.
        session: Runs it at the size of the build.
    """

    backend: str
    session: Session


@contextmanager
def opened_reference(
    model: Model, request: BuildRequest, candidates: Sequence[Candidate]
) -> Iterator[Reference | None]:
    """The float network of a model at the size of its candidates.

    None where nothing is judged: without a guard, for a model that is typed already, and, without images to score on,
    for float candidates that are the reference themselves or do not run here.

    Raises:
        ModelError: The model does not run.
        MachineError: Nothing here runs ONNX files as they are.
    """
    if (
        not request.guard
        or model.spec.precision != "fp32"
        or (request.evaluation is None and not _judged(candidates, request.device))
    ):
        yield None
        return
    with _float_engine(model, candidates[0].identity.size, request.device) as engine, engine.session() as session:
        yield Reference(engine.backend, session)


def _judged(candidates: Sequence[Candidate], device: int) -> bool:
    """Whether any candidate can differ from the float network in the backend that runs that here."""
    if any(candidate.precision != "fp32" for candidate in candidates):
        return True
    running = {candidate.backend.name for candidate in candidates if candidate.runs}
    return bool(running) and running != {registry.preferred_backend(device).name}


def _float_engine(model: Model, size: Size, device: int) -> Engine:
    for made in registry.available_backends(device):
        options = RunOptions(device=device if registry.BACKENDS[made.name].device == "cuda" else 0)
        with suppress(UsageError):  # it runs built engines only
            return made.open_onnx(model.path, model.spec, size, options)
    raise MissingExtraError("onnxruntime", "cpu", "Judging a candidate against fp32")
