"""``fcn-edge export``: trained weights, or an ONNX file of others, to a self-describing ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from fcn_edge.cli.progress import progress_bar
from fcn_edge.cli.verb import SIZE, note, say, verb
from fcn_edge.errors import UsageError

if TYPE_CHECKING:
    from fcn_edge.artifacts.spec import Resize
    from fcn_edge.export.onnx import Export

__all__ = ["command"]


@click.command(epilog="Example: fcn-edge export net.safetensors -o net.onnx --size 512x1024 --images data/camvid/val")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The ONNX file to write.")
@click.option(
    "--arch", metavar="NAME", help="Which network it is, where a file fits several; of ours, what it is expected to be."
)
@click.option("--decoder", metavar="D", help="The decoder that it is expected to have, such as fcn8s.")
@click.option("--size", type=SIZE, help="Default network size; others remain possible, but for ONNX files of one size.")
@click.option(
    "--classes",
    metavar="FILE|NAME",
    help="Class names: a label set such as cityscapes (an unknown name lists them), or a TOML, JSON or text file.",
)
@click.option(
    "--head",
    type=click.Choice(["scores", "labels"]),
    default="scores",
    show_default=True,
    help="End at class scores at the decoder's stride, or at a full-size mask for other programs.",
)
@click.option(
    "--resize",
    metavar="POLICY",
    help="How frames are brought to the network's size: pad, stretch, or roi=TOP,LEFT,BOTTOM,RIGHT as fractions.",
)
@click.option(
    "--weights",
    type=click.Choice(["fp32", "fp16"]),
    default="fp32",
    show_default=True,
    help="How weights are stored; fp16 halves the file, and the network computes in float32 all the same.",
)
@click.option("--name", help="What the model is called.")
@click.option(
    "--mean",
    metavar="M",
    help="Mean that the network was trained with, three numbers in its color order: 123.675,116.28,103.53, or of "
    "colors of 0 to 1: 0.485,0.456,0.406.",
)
@click.option("--std", metavar="S", help="Standard deviation in the same way; 255 for colors of 0 to 1 and no more.")
@click.option("--color-order", type=click.Choice(["rgb", "bgr"]), help="Order of the channels it was trained on.")
@click.option("--output-name", metavar="NAME", help="Tensor of an ONNX file that holds the class scores.")
@click.option("--images", metavar="DIR", type=click.Path(path_type=Path), help="Images to compare both on, 8 at most.")
@verb
def command(
    checkpoint: Path,
    output: Path,
    arch: str | None,
    decoder: str | None,
    size: tuple[int, int] | None,
    classes: str | None,
    head: Literal["scores", "labels"],
    resize: str | None,
    weights: Literal["fp32", "fp16"],
    name: str | None,
    mean: str | None,
    std: str | None,
    color_order: Literal["rgb", "bgr"] | None,
    output_name: str | None,
    images: Path | None,
) -> dict[str, Any]:
    """Make an ONNX file of CHECKPOINT: what fcn-edge train wrote, or a network that somebody else trained.

    Others' networks are told by what is in the file: weights of torchvision's, mmsegmentation's, pytorch-fcn's and
    dusty-nv's FCNs, Caffe models, and ONNX files that give class scores, such as Ultralytics' and jetson-inference's.
    Nothing that a checkpoint names is run.

    The file takes uint8 BGR images, of every size where the network does, and holds all that other commands need to
    know. Before it is kept, it and the network run on the same images (rendered street scenes unless --images names a
    folder): their masks must agree on 99.9% of the pixels.
    """
    policy = None if resize is None else _resize(resize)

    from fcn_edge.export.api import export_onnx

    with progress_bar("comparing") as comparing:
        export = export_onnx(
            checkpoint,
            output,
            arch=arch,
            decoder=decoder,
            size=size,
            classes=classes,
            mean=None if mean is None else _numbers("--mean", mean),
            std=None if std is None else _numbers("--std", std),
            color_order=color_order,
            output_name=output_name,
            head=head,
            name=name,
            resize=policy,
            weights=weights,
            images=images,
            tell=note,
            comparing=comparing,
        )
    _print(export, "rendered street scenes" if images is None else f"images of {images}")
    parity = export.parity
    return {
        "onnx": str(export.path),
        "arch": export.spec.arch,
        "max_abs_diff": parity.max_abs_diff,
        "label_agreement": parity.label_agreement,
        "score_range": parity.score_range,
        "images": parity.images,
        "classes_in_masks": len(parity.classes),
        "name": export.spec.name,
        "size": list(export.spec.size),
        "head": head,
        "weights": weights,
        "bytes": export.path.stat().st_size,
        "digest": export.digest,
        "family": export.spec.family,
        "notes": list(export.notes),
    }


def _print(export: Export, images: str) -> None:
    spec, parity = export.spec, export.parity
    height, width = spec.size
    say(f"{export.path}: {spec.name}, {spec.arch}, {export.path.stat().st_size / 1e6:.1f} MB")
    say(f"default size {height}x{width}, {len(spec.classes)} classes, ends in {spec.head}")
    say(f"compared on {parity.images} {images}:")
    say(f"  max abs difference of scores  {parity.max_abs_diff:.3g}")
    say(f"  label agreement               {parity.label_agreement:.4%}")
    say(f"  classes in the masks          {len(parity.classes)} of {len(spec.classes)}")
    if len(parity.classes) < 2:
        note("Warning: all pixels have one class, so the agreement proves nothing. Compare on other --images.")


def _numbers(option: str, text: str) -> tuple[float, ...]:
    """The numbers of an option such as ``123.675,116.28,103.53``."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(
            f"{option} {text!r} is no list of numbers.", f"Give three, such as {option} 123.675,116.28,103.53."
        ) from error


def _resize(text: str) -> Resize:
    """The resize policy of ``--resize``."""
    from pydantic import ValidationError

    from fcn_edge.artifacts.spec import Resize, first_problem

    policy, equals, numbers = text.partition("=")
    try:
        if policy == "roi" and equals:
            return Resize.model_validate({"policy": policy, "roi": numbers.split(",")})
        return Resize.model_validate({"policy": text})
    except ValidationError as error:
        raise UsageError(
            f"{text!r} is no resize policy: {first_problem(error)}.",
            "Give pad, stretch, or a region such as roi=0.4,0,1,1 (top, left, bottom, right).",
        ) from error
