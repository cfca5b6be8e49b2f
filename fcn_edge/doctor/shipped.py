"""The models that came with the installation: are they whole?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fcn_edge.doctor.check import Check
from fcn_edge.files import sha256_of
from fcn_edge.models import ZOO

__all__ = ["shipped"]

REINSTALL = "pip install --force-reinstall --no-deps fcn_edge"


def shipped(zoo: Path = ZOO) -> list[Check]:
    """A check for each model: every file has the hash that its ``manifest.json`` gives under ``files``."""
    models = sorted(path for path in zoo.iterdir() if path.is_dir() and not path.name.startswith(("_", ".")))
    if not models:
        return [Check("shipped models", False, "none in this installation", REINSTALL)]
    return [_model(directory) for directory in models]


def _model(directory: Path) -> Check:
    name = f"model {directory.name}"
    try:
        files = _files(json.loads((directory / "manifest.json").read_text(encoding="utf-8")))
        wrong = [file for file, digest in files.items() if sha256_of(directory / file) != digest]
    except (OSError, ValueError) as error:
        return Check(name, False, f"cannot be read: {error}", REINSTALL)
    if wrong:
        return Check(name, False, f"{', '.join(wrong)} has changed since it was published", REINSTALL)
    size = sum((directory / file).stat().st_size for file in files)
    return Check(name, True, f"whole, {size / 1e6:.1f} MB")


def _files(manifest: Any) -> dict[str, str]:
    files = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(files, dict) or "model.onnx" not in files:
        raise ValueError("manifest.json names no files with their hashes")
    return files
