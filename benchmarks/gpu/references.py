"""The file of references: what a processor works out once, so that a machine lent for minutes need not.

It holds the scores of the shipped network with their frames, the float64 decoder's masks of every case, and digests of
what the emulated kernels make. What the cases are made of is in its key: a file of other cases or kernels is refused.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.models import resolved_model
from fcn_edge.errors import ArtifactError
from fcn_edge.ops.kernels import KERNELS, kernel_source
from fcn_edge.runtime.segmenter import load
from gpu import cases, pseudo_random, reference
from gpu.cases import DecodeCase, decode_cases, image_cases
from gpu.emulated import EmulatedBench, can_emulate
from gpu.kernel_runs import image_of, masks_of
from gpu.real_scores import RealScores, frames_of, real_scores
from gpu.reference import Expected, expected_masks
from gpu.settings import Settings

__all__ = ["MODEL", "References", "digest_of", "read_references", "write_references"]

MODEL = "camvid-mobilenet_v2-fcn8s"
_ABOUT = "about"


def digest_of(values: NDArray[Any]) -> str:
    """SHA-256 of an array's bytes, in hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


class References:
    """What the kernels and sessions of a run are held to.

    Args:
        arrays: The file's arrays by name, read when they are asked for.
        about: The file's own words.

    Attributes:
        real: Scores of the shipped network.
    """

    def __init__(self, arrays: Any, about: dict[str, Any]) -> None:
        self._arrays = arrays
        self._emulated: dict[str, str] = about["emulated"]
        spec, size = resolved_model(MODEL).spec, about["key"]["size"]
        self.real = RealScores(spec, (size[0], size[1]), list(arrays["frames"]), arrays["scores"], about["source"])

    def expected(self, case: DecodeCase) -> Expected:
        """The masks of a case."""
        masks = self._arrays[f"masks of {case.key}"]
        packed = self._arrays[f"undecided of {case.key}"]
        undecided = np.unpackbits(packed, count=masks.size).astype(bool).reshape(masks.shape)
        return Expected(masks, undecided)

    def as_emulated(self, key: str, made: NDArray[np.uint8]) -> bool | None:
        """Whether a GPU's bytes are those of the emulated kernel; None where it was not emulated."""
        return digest_of(made) == self._emulated[key] if key in self._emulated else None


def write_references(path: Path, video: Path | None, settings: Settings, told: Callable[[str], None]) -> None:
    """Work the references out on this machine's processor, and write them.

    Args:
        path: The file; what is there is replaced.
        video: Frames for the network; rendered streets when left out.
        settings: Size, number of frames, and whether only small cases are wanted.
        told: Told what is being worked out.
    """
    frames, source = frames_of(video, settings.streets)
    with load(MODEL, backend="onnxruntime", size=settings.size) as segmenter:
        real = real_scores(segmenter.session, frames, source)
    arrays: dict[str, NDArray[Any]] = {"frames": np.stack(frames), "scores": real.scores}
    emulated: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as directory:
        bench = EmulatedBench(Path(directory)) if can_emulate() else None
        for case in decode_cases(real, settings.quick):
            told(case.key)
            expected = expected_masks(case.scores, case.mapping, cases.VOID)
            arrays[f"masks of {case.key}"] = expected.masks
            arrays[f"undecided of {case.key}"] = np.packbits(expected.undecided)
            if bench is not None:
                emulated[case.key] = digest_of(masks_of(bench, case.scores, case.mapping)[0])
                bench.clear()
        for image in image_cases(settings.quick) if bench is not None else ():
            told(image.key)
            emulated[image.key] = digest_of(image_of(bench, image))
            bench.clear()
    about = {"key": _key(settings), "source": source, "emulated": emulated}
    arrays[_ABOUT] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f"{path.name}.part")
    try:
        with made.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)


def read_references(path: Path, settings: Settings) -> References:
    """The references of a file.

    Args:
        path: What ``write_references`` wrote.
        settings: Those of this run.

    Raises:
        ArtifactError: It is no such file, or one of other cases, kernels, sizes or another model.
    """
    about: Any = None
    with suppress(OSError, ValueError, KeyError, BadZipFile, EOFError):
        arrays = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
        about = json.loads(arrays[_ABOUT].tobytes())
    if not isinstance(about, dict) or "key" not in about:
        raise ArtifactError(f"{path} holds no references.", _FIX)
    wanted = _key(settings)
    stale = [name for name, value in wanted.items() if about["key"].get(name) != value]
    if stale:
        raise ArtifactError(f"{path} holds references of another {' and another '.join(stale)}.", _FIX)
    return References(arrays, about)


_FIX = "Write them again with the same options: python benchmarks/gpu_check.py --write-references refs.npz"


def _key(settings: Settings) -> dict[str, Any]:
    """What the references depend on, by the names that people are told."""
    makers = [Path(str(module.__file__)).read_bytes() for module in (cases, pseudo_random, reference)]
    kernels = [kernel_source(kernel).encode() for kernel in KERNELS]
    return {
        "set of cases": hashlib.sha256(b"\0".join(makers)).hexdigest(),
        "version of the kernels": hashlib.sha256(b"\0".join(kernels)).hexdigest(),
        "model": resolved_model(MODEL).digest,
        "size": list(settings.size),
        "choice of --quick": settings.quick,
    }
