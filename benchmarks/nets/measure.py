r"""What the networks of one training are worth: FP32 and INT8 on both CPU backends, and the graph for TensorRT.

    python -m benchmarks.nets.measure runs/vgg16-fcn8s.safetensors --data camvid --trained-by "fcn-edge train ..."

takes the checkpoint of a training and those of its coarser decoders beside it, makes their ONNX files and calibration
tables with the commands of ``fcn-edge``, and measures them with ``fcn-edge bench``. What comes of it lies in
``results/nets/``, in a file named after the checkpoint: scores with the IU of each class, what INT8 loses, times,
recipe and seed, and every command that was run; beside it the log of the training (``.csv``). Weights are too large to
be committed, so this is run at once.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.nets.checkpoints import checkpoints_of, log_of
from fcn_edge.artifacts.calibration_table import read_table
from fcn_edge.artifacts.checkpoint import checkpoint_header
from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.bench.result import BenchResult, Distribution, Row, read_result
from fcn_edge.io.files import replacing, sha256_of
from fcn_edge.text import quoted

__all__ = ["measured_net"]

RESULTS = Path(__file__).resolve().parents[1] / "results" / "nets"
ROOT = Path(__file__).resolve().parents[2]
CALIBRATION = ROOT / "calibration" / "camvid-train-128.json"
CPU_BACKENDS = ("onnxruntime", "openvino")
TENSORRT = "tensorrt"


def measured_net(name: str, specs: dict[str, ModelSpec], result: BenchResult) -> dict[str, Any]:
    """The part of a result that says what the networks are worth.

    Args:
        name: What the training is called.
        specs: Spec of each network, by the model that the rows name.
        result: What ``fcn-edge bench`` measured.

    Returns:
        ``machine``, and for each network its decoder, size and rows; INT8 rows say how much less they have than the
        FP32 row of ONNX Runtime (``drop``) and which class loses most (``worst_class``).
    """
    nets = []
    for model, spec in specs.items():
        rows = [row for row in result.rows if row.model == model]
        fp32 = next(row for row in rows if row.precision == "fp32" and row.backend == CPU_BACKENDS[0])
        nets.append(
            {
                "decoder": spec.decoder,
                "size": list(fp32.size),
                "gmacs": fp32.gmacs,
                "rows": [_row(row, fp32) for row in rows],
            }
        )
    return {
        "name": name,
        "encoder": next(iter(specs.values())).encoder,
        "measured": result.started,
        "machine": {
            "cpu": result.machine["cpu"]["name"],
            "instruction_set": result.machine["cpu"]["instruction_set"],
            "threads": result.threads,
            "packages": result.machine["software"]["packages"],
        },
        "frames": result.frames,
        "unstable": result.unstable,
        "nets": nets,
    }


def _row(row: Row, fp32: Row) -> dict[str, Any]:
    found: dict[str, Any] = {"precision": row.precision, "backend": row.backend, "state": row.state}
    if row.problem:
        found["problem"] = row.problem
    if row.unstable:
        found["unstable"] = row.unstable
    for key, times in (("network_ms", row.network_ms), ("end_to_end_ms", row.end_to_end_ms)):
        if times is not None:
            found[key] = _times(times)
    scores, full = row.accuracy, fp32.accuracy
    if scores is None or full is None:
        return found
    per_class = {key: _points(value) for key, value in scores.per_class.items()}
    found |= {"split": f"{scores.dataset} {scores.split}", "images": scores.images, "miou": _points(scores.miou)}
    found |= {"pixel_accuracy": _points(scores.pixel_accuracy), "per_class": per_class}
    if row.precision != "fp32":
        drops = {
            key: before - after
            for key, before in full.per_class.items()
            if before is not None and (after := scores.per_class[key]) is not None
        }
        worst = max(drops, key=drops.__getitem__)
        found |= {"drop": _points(full.miou - scores.miou), "worst_class": [worst, _points(drops[worst])]}
    return found


def _points(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 2)


def _times(times: Distribution) -> dict[str, Any]:
    return {"p50": round(times.p50, 2), "interval": [round(each, 2) for each in times.interval]}


class _Commands:
    """Runs ``fcn-edge`` and keeps what was run, with short names for the folders."""

    def __init__(self, folders: dict[Path, Path]) -> None:
        self._folders = folders
        self.ran: list[str] = []

    def run(self, *words: object, done: bool = False) -> None:
        """Run a command, or note it down where it was run before.

        Raises:
            click.ClickException: It failed; its own message is on the terminal.
        """
        command = [str(word) for word in words]
        self.ran.append(" ".join(["fcn-edge", *(quoted(self._short(word)) for word in command)]))
        if done:
            return
        click.echo(self.ran[-1], err=True)
        if subprocess.run([sys.executable, "-m", "fcn_edge", *command], check=False).returncode:
            raise click.ClickException("It failed; nothing was written.")

    def _short(self, word: str) -> str:
        path = Path(word).absolute()
        for folder, name in self._folders.items():
            if "/" in word and path.is_relative_to(folder):
                return str(name / path.relative_to(folder))
        return word


@click.command(help=(__doc__ or "").splitlines()[0])
@click.argument("checkpoint", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--trained-by", required=True, help="The command of the training.")
@click.option("--note", default="", help="What the recipe does not say by itself.")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--resume", is_flag=True, help="Go on with measurements that were stopped.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="JSON; results/nets/NAME.json when left out.")
def main(
    checkpoint: Path, data: Path, trained_by: str, note: str, rounds: int, resume: bool, output: Path | None
) -> None:
    """Export, calibrate, measure, and write what came of it."""
    name, log = checkpoint.stem, log_of(checkpoint)
    output = output or RESULTS / f"{name}.json"
    work = checkpoint.parent / f"{name}.measured"
    work.mkdir(exist_ok=True)
    runs = checkpoint.parent.absolute()
    commands = _Commands(
        {work.absolute(): Path("work"), data.absolute(): Path(data.name), runs: Path("runs"), ROOT: Path()}
    )
    specs: dict[str, ModelSpec] = {}
    groups = []
    provenance: dict[str, Any] = {}
    for decoder, path in checkpoints_of(checkpoint).items():
        spec = checkpoint_header(path).spec
        onnx, table = work / f"{spec.encoder}-{decoder}.onnx", work / f"{spec.encoder}-{decoder}.json"
        commands.run("export", path, "-o", onnx, "--images", data / "val", done=resume and onnx.is_file())
        commands.run(
            *("calibrate", onnx, "--images", CALIBRATION, "--root", data / "train", "-o", table),
            done=resume and table.is_file(),
        )
        specs[onnx.name] = spec
        groups += [(onnx, table, ("fp32", "int8"), CPU_BACKENDS), (onnx, table, ("int8",), (TENSORRT,))]
        clipping = {name: choice.method for name, choice in read_table(table).choices.items()}
        provenance[decoder] = {"sha256": sha256_of(path), "recipe": spec.provenance.recipe, "clipping": clipping}
    suite, measured = work / "suite.toml", work / "bench.json"
    suite.write_text(_suite(name, rounds, groups))
    bench = ["bench", suite, "--data", data / "val", "--work", work / "bench", "--json-out", measured]
    commands.run(*bench, *(["--resume"] if resume else []))
    content = measured_net(name, specs, read_result(measured))
    content |= {"checkpoints": provenance, "commands": [trained_by, *commands.ran]}
    if note:
        content["note"] = note
    output.parent.mkdir(parents=True, exist_ok=True)
    with replacing(output) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")
    shutil.copyfile(log, output.with_suffix(".csv"))


def _suite(name: str, rounds: int, groups: Sequence[tuple[Path, Path, tuple[str, ...], tuple[str, ...]]]) -> str:
    lines = [f"title = {json.dumps(name)}", f"rounds = {rounds}", f"most_rounds = {2 * rounds}", 'examples = ""']
    for onnx, table, precisions, backends in groups:
        lines += ["[[rows]]", f"models = {json.dumps([str(onnx)])}", f"precisions = {json.dumps(precisions)}"]
        lines += [f"backends = {json.dumps(backends)}", f"calibration = {json.dumps(str(table))}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
