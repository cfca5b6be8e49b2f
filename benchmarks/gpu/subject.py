"""What a check is given."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.driver import Driver
from gpu.providers import device_of, driver_of
from gpu.references import References, read_references
from gpu.settings import Settings

__all__ = ["Request", "Row", "Subject"]

Row = dict[str, Any]
"""One thing that was checked: ``agree`` is whether it is right, where it can be wrong; ``failed`` says in a sentence
what is wrong; ``absent`` says why it could not be looked at."""


@dataclass(frozen=True)
class Request:
    """What is to be checked, as plain values, so that it can be told to another process.

    Attributes:
        provider: Name of the CUDA library, of ``PROVIDERS``.
        references: The file of references.
        settings: How much is checked.
        alone: Checks have a process each, and may start others.
        until: ``time.monotonic()`` at which the process is ended, a clock that all processes share; None: it is not.
    """

    provider: str
    references: Path
    settings: Settings
    alone: bool
    until: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The same as JSON takes it."""
        return asdict(self) | {"references": str(self.references)}

    @classmethod
    def of_json(cls, values: dict[str, Any]) -> Request:
        """What ``to_json`` gave."""
        settings = values["settings"]
        settings |= {"size": tuple(settings["size"])}
        return cls(**(values | {"references": Path(values["references"]), "settings": Settings(**settings)}))


@dataclass(frozen=True)
class Subject:
    """A GPU through one library, and what its work is held to.

    Attributes:
        request: What is to be checked.
        references: What the work is held to.
    """

    request: Request
    references: References = field(repr=False)

    @classmethod
    def of(cls, request: Request) -> Subject:
        """What a request is about; nothing touches the GPU yet.

        Raises:
            ArtifactError: The references do not fit.
        """
        return cls(request, read_references(request.references, request.settings))

    @property
    def settings(self) -> Settings:
        """How much is checked."""
        return self.request.settings

    def open(self, integrated: bool | None = None) -> Device:
        """The GPU.

        Args:
            integrated: Whether it is to pass for one that shares the processor's memory; what it is when None.

        Raises:
            MachineError: It cannot be reached.
        """
        return device_of(self.request.provider, integrated)

    def driver(self) -> Driver:
        """The GPU as bare calls, for a ``Device`` with a cache of its own."""
        return driver_of(self.request.provider)
