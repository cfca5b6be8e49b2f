"""What to measure, in a TOML file: models x precisions x backends x sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fcn_edge.artifacts.spec import Fraction, SizeText, first_problem
from fcn_edge.errors import ArtifactError, UsageError
from fcn_edge.io.outside import read_toml
from fcn_edge.io.shipped_documents import document_path, shipped_names

__all__ = ["Group", "Suite", "read_suite", "shipped_suites"]

SUITES = Path(__file__).with_name("suites")


Texts = Annotated[tuple[str, ...], Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Group(_Part):
    """Rows of a table ``[[rows]]``: every model at every precision, on every backend, at every size.

    Attributes:
        models: Shipped names, ``.onnx`` files or engine directories; an engine is measured as it was built.
        precisions: Of ``fp32``, ``fp16`` and ``int8``.
        backends: Names of ``fcn_edge.backends.BACKENDS``; ``auto`` is the fastest here.
        sizes: ``HEIGHTxWIDTH`` of the network's input; the model's own when left out.
        ends: ``mask``, or ``scores``: at the decoder's stride, with no upsampling.
        calibration: Calibration table for INT8; a shipped model's own when left out.
        threads: Threads of a CPU backend; the physical cores when left out.
    """

    models: Texts
    precisions: Annotated[tuple[Literal["fp32", "fp16", "int8"], ...], Field(min_length=1)] = ("fp32",)
    backends: Texts = ("auto",)
    sizes: tuple[SizeText, ...] = ()
    ends: Literal["mask", "scores"] = "mask"
    calibration: str = ""
    threads: Annotated[int, Field(ge=1)] | None = None


class Suite(_Part):
    """What to measure, and how.

    Attributes:
        title: What it is, for people.
        rounds: Rounds at least; each measures every row once, in a process of its own.
        most_rounds: Rounds at most: more are added until every row's interval is no wider than ``width``.
        width: Width of the interval of a row's median, as a share of the median. Wider ones are marked unstable.
        frames: Frames that a row is timed with in each round, one after the other, and once more in the pipeline.
        warm_up: Frames before them.
        source: What the frames are of: an address of rendered scenes, a video or a folder of images.
        distinct: How many frames of it are read; they go round.
        data: Labeled images to score each row on: a split, or an address of rendered scenes; empty for none.
        examples: Labeled images that pieces are shown of in the report, where decoders differ; empty for none. They
            are in the result: none that you may not show.
        control: Model that runs in every round the same way, to tell how steady the machine is: FP32, 256x320.
        drift: How much the control may move, as a share, before the run is marked unstable, and how much slower than
            before it or a row may be before the run waits.
        patience: How often the run waits at most, for each of its measurements: then it measures the control again
            until it is as fast as before; 0 not to wait.
        recorded: Results of earlier runs whose rows stand in where a row is not measured.
        rows: Groups of rows.

    Files that lie beside the suite are found from wherever it is run.
    """

    title: str = ""
    rounds: Annotated[int, Field(ge=1, le=999)] = 9
    most_rounds: Annotated[int, Field(ge=1, le=999)] = 31
    width: Annotated[float, Field(gt=0, le=1)] = 0.08
    frames: Annotated[int, Field(ge=1, le=100_000)] = 12
    warm_up: Annotated[int, Field(ge=1, le=10_000)] = 3
    source: str = "synthetic://street?seed=110&size=720x1280&frames=8&fps=1"
    distinct: Annotated[int, Field(ge=1, le=256)] = 8
    data: str = ""
    examples: str = "synthetic://street?seed=700&size=480x640&frames=6&fps=0.5"
    control: str = "camvid-mobilenet_v2-fcn32s"
    drift: Fraction = 0.08
    patience: Annotated[float, Field(ge=0, le=100)] = 1.0
    recorded: tuple[str, ...] = ()
    rows: Annotated[tuple[Group, ...], Field(min_length=1)]


def shipped_suites() -> tuple[str, ...]:
    """Names of the suites that ship, sorted."""
    return shipped_names(SUITES)


def read_suite(name: str | Path) -> tuple[str, Suite]:
    """A suite and its name.

    Args:
        name: Name of a shipped suite, or a TOML file.

    Raises:
        UsageError: There is no such suite.
        ArtifactError: The file is damaged, or a value makes no sense.
    """
    path = document_path(name, SUITES)
    if path is None:
        raise UsageError(
            f"There is no suite {str(name)!r}: a shipped name or a .toml file was expected.",
            f"Shipped suites: {', '.join(shipped_suites())}.",
        )
    fix = "See the suites that ship, in fcn_edge/bench/suites, for what one looks like."
    content = read_toml(path, ArtifactError, fix)
    try:
        return path.stem, _resolved(Suite.model_validate(content), path)
    except ValidationError as error:
        raise ArtifactError(f"{path} is no suite: {first_problem(error)}.", fix) from error


def _resolved(suite: Suite, path: Path) -> Suite:
    """Paths as they are from here: what lies beside the suite is found there first."""

    def found(name: str) -> str:
        beside = path.parent / name
        try:
            return str(beside) if name and beside.exists() else name
        except OSError:  # a name that is too long for a file, or lies in a folder that may not be entered
            return name

    rows = tuple(
        group.model_copy(update={"models": tuple(map(found, group.models)), "calibration": found(group.calibration)})
        for group in suite.rows
    )
    places = {name: found(getattr(suite, name)) for name in ("source", "data", "examples", "control")}
    return suite.model_copy(update={"rows": rows, "recorded": tuple(map(found, suite.recorded)), **places})
