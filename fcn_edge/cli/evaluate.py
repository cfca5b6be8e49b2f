"""``fcn-edge evaluate``: mIoU and the paper's other measures on labeled images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from fcn_edge.cli.progress import progress_bar
from fcn_edge.cli.table import table
from fcn_edge.cli.verb import SIZE, say, verb

if TYPE_CHECKING:
    from fcn_edge.evaluation.accuracy import Accuracy

__all__ = ["command"]


@click.command(epilog="Example: fcn-edge evaluate camvid-mobilenet_v2-fcn8s --data data/camvid/val")
@click.argument("model")
@click.option(
    "--data",
    required=True,
    metavar="DIR",
    help="A split: images/ and labels/; or rendered scenes such as 'synthetic://street?seed=100&frames=50'.",
)
@click.option("--size", type=SIZE, help="Network size; the model's own when left out.")
@click.option("--backend", default="auto", show_default=True, help="What runs the network.")
@click.option(
    "--device",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="GPU that runs it, counted from 0 as CUDA does.",
)
@click.option("--threads", type=click.IntRange(min=1), help="Threads of a CPU backend; one per core when left out.")
@verb
def command(
    model: str, data: str, size: tuple[int, int] | None, backend: str, device: int, threads: int | None
) -> dict[str, Any]:
    """Score MODEL on labeled images, at their full size.

    MODEL is a shipped name, an .onnx file or an engine directory. Printed are the intersection over union of each
    class, their mean (mIoU), pixel accuracy, mean accuracy and frequency-weighted IoU (Long, Shelhamer and Darrell
    2015). Classes are matched by name; void pixels do not count. An INT8 model is not scored on images that it was
    calibrated on.
    """
    from fcn_edge.artifacts.models import resolved_model
    from fcn_edge.datasets import split_of
    from fcn_edge.evaluation.api import evaluate
    from fcn_edge.system.thread_pools import owned_thread_pools

    split, found = split_of(data), resolved_model(model)
    with owned_thread_pools(), progress_bar("comparing") as comparing, progress_bar("evaluating") as progress:
        accuracy = evaluate(
            found,
            split,
            size=size,
            backend=backend,
            device=device,
            threads=threads,
            comparing=comparing,
            progress=progress,
        )
    name = found.spec.name
    _print(name, accuracy)
    return {"model": name, **accuracy.to_json()}


def _print(model: str, accuracy: Accuracy) -> None:
    from fcn_edge.text import listed

    rendered = ", rendered images: says nothing of accuracy on real ones" if accuracy.rendered else ""
    height, width = accuracy.size
    say(f"{model} at {height}x{width} on {accuracy.dataset} {accuracy.split} ({accuracy.images} images{rendered})")
    say()
    rows = [[name, "-" if value is None else f"{value:.1%}"] for name, value in accuracy.per_class.items()]
    say(table(["class", "IoU"], rows))
    say()
    scores = accuracy.scores
    measures = [
        (f"mIoU{accuracy.over}", scores.mean_iou),
        ("pixel accuracy", scores.pixel_accuracy),
        (f"mean accuracy{accuracy.over}", scores.mean_accuracy),
        ("frequency-weighted IoU", scores.fw_iou),
    ]
    say(table(["measure", accuracy.split], [[name, f"{value:.2%}"] for name, value in measures]))
    if accuracy.absent:
        say()
        say(f"The labels have no pixel of {listed(accuracy.absent)}: nothing was measured of them.")
