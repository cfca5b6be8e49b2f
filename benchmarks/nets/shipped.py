"""What the models that ship are worth beside those that shipped before them.

    python -m benchmarks.nets.shipped       # before benchmarks.make_zoo makes new ones

keeps the scores of those that ship now, out of their manifests, in ``results/nets/shipped_before.json``; the page of
the benchmarks shows both side by side, class by class.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click

from benchmarks.nets.tables import DECODERS, NONE, RESULTS
from fcn_edge.artifacts.models import Manifest, manifest_of, resolved_model, shipped_models
from fcn_edge.bench.report.markdown import table_of_cells
from fcn_edge.io.files import replacing

__all__ = ["models_before", "models_now", "shipped_table"]

BEFORE = RESULTS / "shipped_before.json"
SCORED_ON = "camvid val"


def models_now() -> dict[str, Manifest]:
    """The manifests of the models that ship, by name."""
    found = {name: manifest_of(resolved_model(name)) for name in shipped_models()}
    return {name: manifest for name, manifest in found.items() if manifest is not None}


def models_before(path: Path = BEFORE) -> dict[str, Manifest]:
    """The manifests of those that shipped before them, by name."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return {name: Manifest.model_validate(manifest) for name, manifest in content.items()}


def shipped_table(before: Mapping[str, Manifest], now: Mapping[str, Manifest]) -> str:
    """Both scores of each decoder on val, in percent: a row for the means, and one for each class."""
    names = [f"camvid-mobilenet_v2-{decoder}" for decoder in DECODERS]
    records = [models[name].accuracy[SCORED_ON] for name in names for models in (before, now)]
    rows = [["mIoU", *(_percent(record.miou) for record in records)]]
    rows += [["pixel accuracy", *(_percent(record.pixel_accuracy) for record in records)]]
    rows += [[name, *(_percent(record.per_class[name]) for record in records)] for name in records[0].per_class]
    header = ["", *(f"{name}, {when}" for name in DECODERS.values() for when in ("before", "now"))]
    return table_of_cells(header, rows, 1) + "\n"


def _percent(value: float | None) -> str:
    return NONE if value is None else f"{100 * value:.1f}"


@click.command(help=(__doc__ or "").splitlines()[0])
@click.option("-o", "--output", type=click.Path(path_type=Path), default=BEFORE)
def main(output: Path) -> None:
    """Keep the scores of the models that ship now."""
    content = {name: manifest.model_dump(mode="json") for name, manifest in models_now().items()}
    with replacing(output) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
