"""The models that came with the installation: are they whole?"""

from __future__ import annotations

from fcn_edge.artifacts import models
from fcn_edge.doctor.check import Check
from fcn_edge.errors import ArtifactError

__all__ = ["shipped"]

REINSTALL = "pip install --force-reinstall --no-deps fcn_edge"


def shipped() -> list[Check]:
    """A check for each model: is its file the one that its manifest speaks of?"""
    names = sorted(path.name for path in models.ZOO.iterdir() if path.is_dir() and path.name[0] not in "_.")
    if not names:
        return [Check("shipped models", False, "none in this installation", REINSTALL)]
    return [_model(name) for name in names]


def _model(name: str) -> Check:
    if name not in models.shipped_models():
        return Check(f"model {name}", False, f"{models.MODEL_FILE} is missing", REINSTALL)
    try:
        model = models.resolved_model(name)
        models.manifest_of(model)
    except ArtifactError as error:
        return Check(f"model {name}", False, error.message, REINSTALL)
    return Check(f"model {name}", True, f"whole, {model.path.stat().st_size / 1e6:.1f} MB")
