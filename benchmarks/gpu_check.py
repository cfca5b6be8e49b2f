"""Whether fcn_edge's GPU code is right and fast on this machine: any NVIDIA GPU, Jetson or desktop.

    python benchmarks/gpu_check.py [-o results.jsonl] [--provider pycuda|cuda-python|all] [--video F] [--quick]

It prints a line of JSON for each check as soon as that is done, and one of text for people to standard error. Every
check has a process and a time limit of its own, so that none takes another with it. What takes a processor long is
worked out before, where there is time: --write-references refs.npz, and then --references refs.npz.

Exit code 0: all agrees; 3: the references are damaged or of another checkout; 4: a kernel or an engine disagrees or
fails; 6: there is no GPU.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path

import click
from gpu.checks import CHECKS, function_of
from gpu.children import end_with_all_at_sigterm, run_check
from gpu.facts import clocks
from gpu.providers import Reached, reached
from gpu.references import MODEL, read_references, write_references
from gpu.report import as_json, failures, judged, text
from gpu.settings import Settings
from gpu.subject import Request, Row, Subject
from machine import machine

from fcn_edge.artifacts.spec import Size
from fcn_edge.backends.cuda.device import PROVIDERS
from fcn_edge.cli.verb import SIZE
from fcn_edge.errors import FcnEdgeError, GuardError, MachineError, UsageError

FULL = Settings()


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Add the lines of JSON to a file as well.")
@click.option(
    "--provider",
    type=click.Choice([*PROVIDERS, "all"]),
    default="all",
    show_default=True,
    help="Library that reaches the GPU.",
)
@click.option(
    "--video", type=click.Path(exists=True, path_type=Path), help="Frames to run; rendered streets otherwise."
)
@click.option("--size", type=SIZE, default="512x1024", show_default=True, help="Size of the network's input.")
@click.option(
    "--batch", type=click.IntRange(min=1), default=FULL.batch, show_default=True, help="Frames a timed launch."
)
@click.option("--engines/--no-engines", "with_engines", default=True, help="Build and run engines, too.")
@click.option("--quick", is_flag=True, help="Small frames and few repeats: for a look, not for results.")
@click.option("--only", type=click.Choice(list(CHECKS)), multiple=True, help="Make this check; may be repeated.")
@click.option("--within", type=click.FloatRange(min=1), help="Seconds for everything; what is left then is skipped.")
@click.option(
    "--write-references", type=click.Path(path_type=Path), help="Work the references out, write them and end."
)
@click.option(
    "--references",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take the references from a file, written with the same options.",
)
@click.option("--in-process", is_flag=True, help="No processes for the checks, for a debugger: a crash ends them all.")
def main(
    output: Path | None,
    provider: str,
    video: Path | None,
    size: Size,
    batch: int,
    with_engines: bool,
    quick: bool,
    only: tuple[str, ...],
    within: float | None,
    write_references: Path | None,
    references: Path | None,
    in_process: bool,
) -> None:
    """Check and time the kernels, sessions and engines on this machine's GPU."""
    begun = time.monotonic()
    settings = replace(FULL, size=size, batch=batch)
    settings = settings.for_a_look if quick else settings
    try:
        if write_references is not None:
            written(write_references, video, settings)
            return
        if references is not None and video is not None:
            raise UsageError("The references hold the frames of a video already.", "Leave --video or --references out.")
        if output is not None:
            _check_writable(output)
        found = reached(provider)
        with tempfile.TemporaryDirectory() as scratch:
            if references is None:
                references = written(Path(scratch, "references.npz"), video, settings)
            checks = [name for name in CHECKS if name in only or (not only and (with_engines or name != "engines"))]
            request = Request("", references, settings, alone=not in_process)
            until = None if within is None else begun + within
            wrong = emitted(_lines(found, request, checks, until), output)
        if wrong:
            raise GuardError(f"{wrong} of the checks' comparisons failed on {_name(found)}.", "They stand above.")
    except FcnEdgeError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def written(path: Path, video: Path | None, settings: Settings) -> Path:
    """Write the references, telling people of each; their path."""

    def told(case: str) -> None:
        if sys.stderr.isatty():
            print(f"references: {case}", file=sys.stderr)

    write_references(path, video, settings, told)
    return path


def _check_writable(output: Path) -> None:
    """Make the file now: that it cannot be must not show after the first check."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.open("a", encoding="utf-8").close()
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}.", "Give -o another path.") from error


def emitted(lines: Iterable[Row], output: Path | None) -> int:
    """Print lines, and add them to a file, as they come; how many failures are among them."""
    seen = []
    for line in lines:
        seen.append(line)
        told = as_json(line)
        print(told, flush=True)
        if output is not None:
            with output.open("a", encoding="utf-8") as file:
                print(told, file=file, flush=True)
        if "verdict" in line:
            print(*text(line), sep="\n", file=sys.stderr, flush=True)
    wrong = failures(seen)
    print(*(wrong or ["Nothing disagrees."]), sep="\n", file=sys.stderr)
    return len(wrong)


def _lines(
    found: dict[str, Reached | MachineError], request: Request, checks: list[str], until: float | None
) -> Iterator[Row]:
    """A line on the machine, one for each library and check, and one that sums them up."""
    begun = time.monotonic()
    subject_of = read_references(request.references, request.settings)
    yield {
        "check": "machine",
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "gpu": _name(found),
        "machine": machine(None),
        "settings": asdict(request.settings),
        "model": MODEL,
        "frames": f"{len(subject_of.real.frames)} of {subject_of.real.source}",
        "clocks": clocks(),
    }
    made = []
    for name, one in found.items():
        if isinstance(one, MachineError):
            made.append({"check": "provider", "provider": name, "verdict": "absent", "seconds": 0.0})
            yield made[-1] | {"rows": [{"absent": str(one)}]}
            continue
        for check in checks:
            if check == "engines" and name != for_engines(found):  # they are the same through either
                continue
            left = None if until is None else until - time.monotonic()
            made.append(_made(check, replace(request, provider=name), left) | {"provider": name})
            yield made[-1]
    wrong = failures(made)
    verdicts = {f"{line['provider']}, {line['check']}": line["verdict"] for line in made}
    yield {
        "check": "summary",
        "seconds": round(time.monotonic() - begun, 1),
        "verdicts": verdicts,
        "failures": wrong,
        "clocks": clocks(),
    }


def _made(check: str, request: Request, left: float | None) -> Row:
    """The line of one check, for which so many seconds are left."""
    limit = CHECKS[check][1]
    if left is not None:
        if left < _LEAST_S:
            return {"check": check, "verdict": "skipped", "seconds": 0.0, "rows": []}
        limit = min(limit, left)
    begun = time.monotonic()
    run: Callable[[], tuple[list[Row], str]] = (
        (lambda: _in_child(check, request, limit)) if request.alone else (lambda: _in_this_process(check, request))
    )
    rows, problem = run()
    return judged(check, rows, problem, time.monotonic() - begun)


_LEAST_S = 5.0
"""A check with less time is not begun."""


def _in_child(check: str, request: Request, limit: float) -> tuple[list[Row], str]:
    outcome = run_check(check, request, limit)
    return outcome.rows, outcome.problem


def _in_this_process(check: str, request: Request) -> tuple[list[Row], str]:
    rows: list[Row] = []
    try:
        rows.extend(function_of(check)(Subject.of(request)))
    except FcnEdgeError as error:
        rows.append({"failed": str(error), "agree": False})
    return rows, ""


def for_engines(found: dict[str, Reached | MachineError]) -> str:
    """The first library that captures graphs, or the first that reaches the GPU where none does."""
    usable = {name: one for name, one in found.items() if isinstance(one, Reached)}
    return next((name for name, one in usable.items() if one.has_graphs), next(iter(usable)))


def _name(found: dict[str, Reached | MachineError]) -> str:
    return next(one.facts.name for one in found.values() if isinstance(one, Reached))


if __name__ == "__main__":
    end_with_all_at_sigterm()
    main()
