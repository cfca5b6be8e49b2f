"""Engine directories: the manifest sealed again, and plans and tables whose hashes fit."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fcn_edge.artifacts.engine_manifest import MANIFEST_FILE, TABLE_FILE
from fcn_edge.artifacts.models import MODEL_FILE

from ..damages import BYTES, TEXT
from ..parser import Damage, Parser
from ..structures import sealed, sealed_damaged
from .commands import shown_by
from .messages import ONNX
from .models import FRAME, SAMPLES

__all__ = ["PARSERS"]


def engine_files(name: str) -> Callable[[Path], list[bytes]]:
    """One file of a whole engine, beside which lie the others."""

    def made(folder: Path) -> list[bytes]:
        from fcn_edge.backends.registry import backend

        shutil.copytree(SAMPLES / "engine", folder, dirs_exist_ok=True)
        manifest = json.loads((folder / MANIFEST_FILE).read_bytes())
        del manifest["digest"]
        # as if it had been built here and now
        here = backend("onnxruntime").probe(0)
        manifest["library"] = here.version
        manifest["device"]["capability"] = here.devices[0].capability
        (folder / MANIFEST_FILE).write_bytes(sealed(manifest))
        return [(folder / name).read_bytes()]

    return made


def engine_of(path: Path, beside: Path, name: str) -> Path:
    """The engine with that file in the place of its own, and a manifest that lists it as it is."""
    engine = path.parent.with_name(f"{path.parent.name}-engine")
    shutil.rmtree(engine, ignore_errors=True)
    shutil.copytree(beside, engine)
    shutil.copyfile(path, engine / name)
    if name != MANIFEST_FILE:
        manifest: dict[str, Any] = json.loads((engine / MANIFEST_FILE).read_bytes())
        del manifest["digest"]
        content = path.read_bytes()
        manifest["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        (engine / MANIFEST_FILE).write_bytes(sealed(manifest))
    return engine


def opened(name: str) -> Callable[[Path, Path], object]:
    def read(path: Path, beside: Path) -> object:
        from fcn_edge.artifacts.models import resolved_model
        from fcn_edge.evaluation.leakage import calibration_images
        from fcn_edge.runtime.segmenter import load

        engine = engine_of(path, beside, name)
        shown = shown_by("inspect", engine)
        calibration_images(resolved_model(engine))
        with load(engine, threads=1) as segmenter:
            segmenter(FRAME)
        return shown

    return read


def raw_or_sealed(whole: bytes, chance: random.Random, wholes: Sequence[bytes]) -> bytes:
    damage = sealed_damaged if chance.random() < 0.8 else chance.choice((*BYTES, *TEXT))
    return damage(whole, chance, wholes)


def parser(name: str, file: str, damages: Sequence[Damage], share: float = 1.0) -> Parser:
    return Parser(name, file, engine_files(file), opened(file), damages, share, ("onnx", "onnxruntime"))


PARSERS = (
    parser("engine.manifest", MANIFEST_FILE, (raw_or_sealed,), 2),
    parser("engine.plan", MODEL_FILE, ONNX),
    parser("engine.table", TABLE_FILE, (raw_or_sealed,)),
)
