"""What to build for which device, in a TOML file: the values of ``fcn-edge build``'s options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from fcn_edge.artifacts.spec import Fraction, SizeText, first_problem
from fcn_edge.backends.options import LARGEST_BATCH, MOST_THREADS
from fcn_edge.backends.registry import BACKENDS
from fcn_edge.errors import ArtifactError, UsageError
from fcn_edge.io.outside import read_toml
from fcn_edge.io.shipped_documents import document_path, shipped_names

__all__ = ["Recipe", "read_recipe", "shipped_recipes"]

RECIPES = Path(__file__).with_name("recipes")

_SAID = frozenset({"description", "tested_on", "notes"})

_Line = Annotated[str, Field(min_length=1, max_length=400)]


class Recipe(BaseModel):
    """What to build for a device. A value that is left out is the build's own default.

    Attributes:
        description: Which devices it is for, in a line.
        tested_on: Where it was run, and with what result; or that it was not.
        notes: What else whoever builds there should know, a sentence each.
        backend: A name of ``fcn_edge.backends.BACKENDS``, or ``auto``.
        precision: ``fp32``, ``fp16``, ``int8`` or ``auto``.
        size: ``HEIGHTxWIDTH`` of the network's input; the model's own when left out.
        batch: Frames that the engine takes at once.
        threads: Threads of a CPU backend; the physical cores when left out.
        max_drop: mIoU, as a fraction of 1, that the engine may lose against FP32.
        max_class_drop: IoU that any one class may lose.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    description: _Line
    tested_on: _Line
    notes: tuple[_Line, ...] = ()
    backend: str = "auto"
    precision: Literal["fp32", "fp16", "int8", "auto"] = "fp32"
    size: SizeText | None = None
    batch: Annotated[int, Field(ge=1, le=LARGEST_BATCH)] = 1
    threads: Annotated[int, Field(ge=1, le=MOST_THREADS)] | None = None
    max_drop: Fraction = 0.01
    max_class_drop: Fraction = 0.03

    @field_validator("backend")
    @classmethod
    def _backend_is_one(cls, backend: str) -> str:
        if backend != "auto" and backend not in BACKENDS:
            raise ValueError(f"{', '.join(('auto', *BACKENDS))} were expected")
        return backend

    @model_validator(mode="after")
    def _threads_are_of_a_processor(self) -> Recipe:
        if self.threads is not None and self.backend != "auto" and BACKENDS[self.backend].device != "cpu":
            raise ValueError(f"threads are of backends on the processor, and {self.backend} runs on a GPU")
        return self

    def settings(self) -> dict[str, Any]:
        """The values that it states, by the names of ``BuildRequest``'s attributes."""
        return {name: getattr(self, name) for name in sorted(self.model_fields_set - _SAID)}


def shipped_recipes() -> tuple[str, ...]:
    """Names of the recipes that ship, sorted."""
    return shipped_names(RECIPES)


def read_recipe(name: str | Path) -> Recipe:
    """A recipe.

    Args:
        name: Name of a shipped recipe, or a TOML file.

    Raises:
        UsageError: There is no such recipe.
        ArtifactError: The file is damaged, or a value makes no sense.
    """
    path = document_path(name, RECIPES)
    if path is None:
        raise UsageError(
            f"There is no recipe {str(name)!r}: a shipped name or a .toml file was expected.",
            f"Shipped recipes: {', '.join(_lines())}.",
        )
    fix = "See the recipes that ship, in fcn_edge/builder/recipes, for what one looks like."
    try:
        return Recipe.model_validate(read_toml(path, ArtifactError, fix))
    except ValidationError as error:
        raise ArtifactError(f"{path} is no recipe: {first_problem(error)}.", fix) from error


def _lines() -> list[str]:
    return [f"{name} ({read_recipe(name).description})" for name in shipped_recipes()]
