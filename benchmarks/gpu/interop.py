"""Frames that torch and CuPy hold on the GPU, taken in by each of their ways, and masks that they take back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.stand_ins import StandInEngine, echo, echo_frames
from gpu.subject import Row, Subject

__all__ = ["Library", "check", "libraries"]

PADDINGS = (0, 1, 5, 64)
"""Bytes between the rows of frames."""


class Library:
    """What holds arrays on the GPU.

    Args:
        name: What it is called.
        hold: Brings ``(H, P)`` uint8 rows to the GPU and gives an ``(H, W, 3)`` view of them; W is its second argument.
        fetch: Brings what offers ``__cuda_array_interface__`` to the host through the library.
    """

    def __init__(
        self, name: str, hold: Callable[[NDArray[np.uint8], int], Any], fetch: Callable[[Any], NDArray[np.uint8]]
    ) -> None:
        self.name = name
        self.hold = hold
        self.fetch = fetch


class _InterfaceAlone:
    """An array that offers itself by ``__cuda_array_interface__`` and by nothing else."""

    def __init__(self, array: Any) -> None:
        self.array = array
        self.__cuda_array_interface__ = array.__cuda_array_interface__


def libraries() -> list[Library | Row]:
    """Those that are installed and see the GPU; why not for the others."""
    return [_torch(), _cupy()]


def check(subject: Subject) -> Iterator[Row]:
    """A row for each library and way."""
    real = subject.references.real
    size = (real.frames[0].shape[0] - 1, real.frames[0].shape[1] - 1)  # odd rows
    frames = echo_frames(size, 4)
    with StandInEngine(subject.open(), echo(real)) as engine, engine.session() as session:
        wanted = [session.labels(frame) for frame in frames]
        for library in libraries():
            if not isinstance(library, Library):
                yield library
                continue
            for way, offered in (("dlpack", lambda array: array), ("__cuda_array_interface__", _InterfaceAlone)):
                wrong = outs = 0
                rounds = subject.settings.rounds
                for index in range(rounds):
                    number = index % len(frames)
                    array = library.hold(_padded(frames[number], PADDINGS[index % len(PADDINGS)]), size[1])
                    job = session.infer(session.preprocess(offered(array)))
                    if index % 2:
                        mask = session.postprocess(job)
                    else:
                        mask = library.fetch(session.postprocess(job, device=True))
                        outs += 1
                    wrong += not np.array_equal(mask, wanted[number])
                row: Row = {"library": library.name, "by": way, "rounds": rounds, "masks_left_on_the_gpu": outs}
                row |= {"wrong": wrong, "agree": not wrong}
                yield (
                    row
                    if not wrong
                    else row | {"failed": f"{wrong} of {rounds} masks of {library.name}'s frames by {way} are others."}
                )


def _padded(frame: NDArray[np.uint8], padding: int) -> NDArray[np.uint8]:
    rows = frame.reshape(frame.shape[0], -1)
    return np.pad(rows, ((0, 0), (0, padding)), constant_values=0xA5)


def _torch() -> Library | Row:
    try:
        torch = import_module("torch")
    except ImportError as error:
        return {"absent": f"torch is not installed ({error})."}
    if not torch.cuda.is_available():
        return {"absent": f"torch {torch.__version__} sees no GPU."}

    def hold(rows: NDArray[np.uint8], width: int) -> Any:
        held = torch.from_numpy(rows).to("cuda")
        return torch.as_strided(held, (len(rows), width, 3), (rows.shape[1], 3, 1))

    def fetch(array: Any) -> NDArray[np.uint8]:
        fetched: NDArray[np.uint8] = torch.as_tensor(array, device="cuda").cpu().numpy()
        return fetched

    return Library(f"torch {torch.__version__}", hold, fetch)


def _cupy() -> Library | Row:
    try:
        cupy = import_module("cupy")
        cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # of many kinds: its own, for one, where the driver is not what it wants
        return {
            "absent": f"cupy cannot be used ({str(error).splitlines()[0] if str(error) else type(error).__name__})."
        }

    def hold(rows: NDArray[np.uint8], width: int) -> Any:
        held = cupy.asarray(rows)
        return cupy.lib.stride_tricks.as_strided(held, (len(rows), width, 3), (rows.shape[1], 3, 1))

    def fetch(array: Any) -> NDArray[np.uint8]:
        fetched: NDArray[np.uint8] = cupy.asnumpy(cupy.asarray(array))
        return fetched

    return Library(f"cupy {cupy.__version__}", hold, fetch)
