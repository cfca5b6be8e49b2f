"""Errors of fcn_edge: one tree, one sentence each, and how to fix what went wrong.

    FcnEdgeError                    exit code 1 (internal when raised bare)
    ├── UsageError              2   an argument makes no sense
    ├── ArtifactError           3   model, checkpoint, table, engine or data missing, damaged or mismatched
    │   ├── SpecError               a model without a valid ModelSpec
    │   ├── ModelError              an ONNX file that is missing, damaged or not an fcn_edge model
    │   ├── CheckpointError         a checkpoint that is missing, damaged or for another net
    │   ├── EngineError             an engine directory that is missing, damaged or made elsewhere
    │   ├── TableError              a calibration table that is missing, damaged or for another model
    │   └── DatasetError            images and labels that are missing, damaged or do not fit
    ├── GuardError              4   accuracy or parity is worse than was promised
    ├── SourceError             5   SOURCE missing, empty, unreadable or lost
    │   └── FrameError              one frame is not a (H, W, 3) uint8 image
    └── MachineError            6   the machine lacks something
        ├── MissingExtraError       an optional package is not installed
        └── DeviceError             a device that is not here

Every message says what happened and what was expected; ``fix`` says what to do about it. The command line prints
both and exits with ``exit_code``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder

from fcn_edge.text import printable

__all__ = [
    "ArtifactError",
    "CheckpointError",
    "DatasetError",
    "DeviceError",
    "EngineError",
    "FcnEdgeError",
    "FrameError",
    "GuardError",
    "MachineError",
    "MissingExtraError",
    "ModelError",
    "SourceError",
    "SpecError",
    "TableError",
    "UsageError",
]

_LONGEST_MESSAGE = 1000
_LONGEST_FIX = 4000
"""Letters; a fix may hold a command with several paths."""


class FcnEdgeError(Exception):
    """Base of every error that fcn_edge raises on purpose.

    Paths, names in files and words of other libraries stand in messages: both parts are kept on one line, without
    control characters, and to a length that a terminal shows (``fcn_edge.text.printable``).

    Args:
        message: One sentence: what happened and what was expected.
        fix: One sentence or command that fixes it; empty when there is none. What is foreign in a command is quoted
            (``fcn_edge.text.command_line``).
    """

    exit_code: int = 1

    def __init__(self, message: str, fix: str = "") -> None:
        self.message = printable(message, _LONGEST_MESSAGE)
        self.fix = printable(fix, _LONGEST_FIX, cut="end")
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.fix}".rstrip()


class UsageError(FcnEdgeError):
    """An argument makes no sense."""

    exit_code = 2


class ArtifactError(FcnEdgeError):
    """A model, checkpoint, table, engine or data set is missing, damaged or does not match."""

    exit_code = 3


class SpecError(ArtifactError):
    """A ModelSpec is missing or invalid."""


class ModelError(ArtifactError):
    """An ONNX file is missing, damaged or not an fcn_edge model."""


class CheckpointError(ArtifactError):
    """A checkpoint is missing, damaged or for another net."""


class EngineError(ArtifactError):
    """An engine directory is missing, damaged or was made for something else."""


class TableError(ArtifactError):
    """A calibration table is missing, damaged or was made for another model."""


class DatasetError(ArtifactError):
    """Images and labels are missing, damaged or do not fit together."""


class GuardError(FcnEdgeError):
    """Accuracy or parity is worse than was promised."""

    exit_code = 4


class SourceError(FcnEdgeError):
    """A SOURCE of frames is missing, empty, unreadable or lost.

    Args:
        message: One sentence: what happened and what was expected.
        fix: One sentence or command that fixes it; empty when there is none.
        persistent: It will hardly go away within seconds, as a wrong password: a supervised source is tried again less
            often.
    """

    exit_code = 5

    def __init__(self, message: str, fix: str = "", persistent: bool = False) -> None:
        super().__init__(message, fix)
        self.persistent = persistent


class FrameError(SourceError):
    """A frame is not a (H, W, 3) uint8 image."""


class MachineError(FcnEdgeError):
    """The machine lacks something: a library, a device, memory or disk space."""

    exit_code = 6


class MissingExtraError(MachineError):
    """An optional package is not installed.

    Args:
        package: Name of the Python package that could not be imported.
        extra: The extra of fcn_edge that brings it.
        what: What needs it, to begin the sentence.
    """

    def __init__(self, package: str, extra: str, what: str) -> None:
        super().__init__(
            f"{what} needs the Python package {package}, which is not installed.",
            f"Install it with: {_command(package, extra)}",
        )
        self.package = package
        self.extra = extra
        self.what = what

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str, str]]:
        """Loader processes send errors pickled."""
        return type(self), (self.package, self.extra, self.what)


EXTRAS = {
    "av": "streams",
    "cv2": "cpu",
    "jinja2": "bench",
    "matplotlib": "bench",
    "onnxruntime": "cpu",
    "onnx": "convert",
    "onnxscript": "export",
    "openvino": "openvino",
    "prometheus_client": "web",
    "pynvml": "bench",
    "safetensors": "export",
    "starlette": "web",
    "torch": "export",
    "uvicorn": "web",
    "websockets": "web",
}
"""The extra that brings each optional module."""


@contextmanager
def needed_for(what: str) -> Iterator[None]:
    """A block of imports: where one of an optional module fails, that is an error that names its extra.

    Args:
        what: What needs it, to begin the sentence.

    Raises:
        MissingExtraError: An optional module is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        raise MissingExtraError(error.name, EXTRAS[error.name], what) from error


def _command(package: str, extra: str) -> str:
    """What installs a package without a second OpenCV: its distributions overwrite each other."""
    if extra == "cpu" and not package.startswith("cv2") and PathFinder.find_spec("cv2") is not None:
        return f"pip install {package}"
    return f"pip install 'fcn_edge[{extra}]'"


class DeviceError(MachineError):
    """A device that is needed is not here."""
