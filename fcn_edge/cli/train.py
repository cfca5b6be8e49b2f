"""``fcn-edge train``: the paper's stages, or all decoders at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fcn_edge.cli.verb import SIZE, note, say, verb
from fcn_edge.errors import MissingExtraError
from fcn_edge.text import printable, quoted

if TYPE_CHECKING:
    from fcn_edge.training.options import TrainingOptions
    from fcn_edge.training.recipe import Recipe
    from fcn_edge.training.stage import EpochLog

__all__ = ["command"]

# written out, because the modules that define them import torch and pydantic, and --help must answer at once
ENCODERS = ("vgg16", "resnet50", "mobilenet_v2")
DECODERS = ("fcn32s", "fcn16s", "fcn8s")

MOST_WORKERS = 4


def _numbers(kind: type) -> Callable[[click.Context, click.Parameter, str | None], tuple[Any, ...] | None]:
    """A click callback for numbers with commas between them."""

    def numbers(_: click.Context, parameter: click.Parameter, value: str | None) -> tuple[Any, ...] | None:
        if value is None:
            return None
        try:
            return tuple(kind(part) for part in value.split(","))
        except ValueError:
            example = parameter.metavar or ""
            raise click.BadParameter(f"'{printable(value, 80)}' is not of the form {example}.") from None

    return numbers


@click.command(
    epilog="Example: fcn-edge train --encoder mobilenet_v2 --decoder fcn8s --data data/camvid "
    "--init mobilenet_v2-imagenet.pth --epochs 30,15,30 -o camvid-fcn8s.safetensors"
)
@click.option("--encoder", type=click.Choice(ENCODERS), required=True)
@click.option("--decoder", type=click.Choice(DECODERS), required=True, help="The finest decoder to train.")
@click.option(
    "--data",
    metavar="DIR",
    required=True,
    help="Root with train/ and val/, each with images/ and labels/; without data: synthetic://street.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="Checkpoint to write, .safetensors."
)
@click.option(
    "--init",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="ImageNet weights of the encoder under torchvision's keys: a state_dict, a training checkpoint or a whole "
    "network as torch.save wrote it, .npz or .safetensors; or a checkpoint to go on from, such as one of a coarser "
    "decoder. Given several times: the mean of checkpoints with the same encoder, decoder and classes that began with "
    "the same encoder weights. From scratch when left out.",
)
@click.option(
    "--epochs",
    callback=_numbers(int),
    default="30",
    show_default=True,
    metavar="N|N,N,N",
    help="Epochs of every stage, or of each; 0 writes the initialized net.",
)
@click.option(
    "--stages",
    "mode",
    type=click.Choice(["staged", "at-once"]),
    default="staged",
    show_default=True,
    help="fcn32s, then fcn16s from it, then fcn8s from that; or all of them on one encoder at once.",
)
@click.option("--schedule", type=click.Choice(["one-cycle", "poly"]), default="one-cycle", show_default=True)
@click.option(
    "--lr", type=float, default=8e-4, show_default=True, help="Peak learning rate; later stages have half of it."
)
@click.option(
    "--head-lr-factor",
    type=float,
    default=5.0,
    show_default=True,
    metavar="F",
    help="Learning rate of the score layers over that of the encoder.",
)
@click.option(
    "--freeze",
    type=int,
    default=0,
    show_default=True,
    metavar="N",
    help="Blocks of the encoder, from the image on, that keep the weights of --init. The encoders have five, each of "
    "which halves the grid. Saves time.",
)
@click.option("--batch", type=int, default=8, show_default=True, help="Images per optimizer step.")
@click.option("--micro-batch", type=int, help="Images per forward pass; a divisor of --batch up to 4 when left out.")
@click.option("--crop", type=SIZE, help="Size of the training crops; that of the network when left out.")
@click.option(
    "--scales",
    callback=_numbers(float),
    default="0.5,2.0",
    show_default=True,
    metavar="A,B",
    help="Smallest and largest random scale, over that at which an image just fits the network.",
)
@click.option("--color", type=float, default=0.4, show_default=True, help="Strength of the color changes, 0 to 1.")
@click.option(
    "--balance",
    type=float,
    default=0.0,
    show_default=True,
    metavar="SHARE",
    help="Share of the crops that are laid around a pixel of a class, each class of the image alike.",
)
@click.option(
    "--mix",
    type=float,
    default=0.0,
    show_default=True,
    metavar="SHARE",
    help="Share of the crops onto which half of the classes of another crop are pasted.",
)
@click.option("--weight-decay", type=float, default=0.02, show_default=True)
@click.option(
    "--class-weight-offset",
    type=float,
    default=1.05,
    show_default=True,
    metavar="C",
    help="Classes weigh 1 / ln(C + share) in the loss; a large C makes them alike.",
)
@click.option(
    "--dice",
    type=float,
    default=0.0,
    show_default=True,
    help="Weight of the Dice loss beside the cross-entropy, whose own is 1.",
)
@click.option(
    "--hardest",
    type=float,
    default=1.0,
    show_default=True,
    metavar="SHARE",
    help="Share of the pixels, those with the largest loss, that the cross-entropy is taken over.",
)
@click.option(
    "--prior-correction",
    type=float,
    default=0.5,
    show_default=True,
    metavar="S",
    help="How far the class weights are taken back from the scores of what is kept, 0 to 1.",
)
@click.option(
    "--ema-decay",
    type=float,
    default=0.995,
    show_default=True,
    help="Largest decay per step of the averaged weights, which are what is kept; it rises with the steps.",
)
@click.option(
    "--bfloat16",
    is_flag=True,
    help="Compute the convolutions in bfloat16: faster where the processor has avx512_bf16, amx_bf16 or bf16, slower "
    "elsewhere. Weights and losses stay in float32.",
)
@click.option(
    "--teacher",
    "teachers",
    multiple=True,
    metavar="NAME|FILE",
    help="Trained network with the same classes, often a larger one, to learn from too: a shipped name, an .onnx file "
    "of export or a checkpoint. Several are asked together.",
)
@click.option(
    "--teacher-weight",
    type=float,
    default=0.5,
    show_default=True,
    help="Share of the teachers in the loss, 0 to 1; the labels have the rest.",
)
@click.option(
    "--temperature",
    type=float,
    default=2.0,
    show_default=True,
    help="What scores are divided by before they are held against the teachers'.",
)
@click.option(
    "--unlabeled",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of more images, of which only the teachers say what they show.",
)
@click.option(
    "--rendered",
    type=float,
    default=0.0,
    show_default=True,
    metavar="SHARE",
    help="Rendered street scenes to mix in, over the number of real images; needs CamVid's classes.",
)
@click.option(
    "--size",
    type=SIZE,
    help="Network size, multiples of 32. When left out, that of the images, scaled down to the area of 384x480; or "
    "that of a checkpoint that --init goes on from.",
)
@click.option("--validate-every", type=int, default=1, show_default=True, help="Epochs between validations.")
@click.option(
    "--settle",
    type=int,
    default=0,
    show_default=True,
    metavar="N",
    help="Most epochs that each stage goes on after --epochs, at its last learning rate, while val still rises.",
)
@click.option(
    "--patience", type=int, default=3, show_default=True, help="Validations without a rise that end a settling stage."
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--workers", type=click.IntRange(min=0), help="Processes that read images; by the cores when left out.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads that train; one per core when left out.")
@verb
def command(
    data: str,
    output: Path,
    init: tuple[Path, ...],
    teachers: tuple[str, ...],
    unlabeled: Path | None,
    workers: int | None,
    threads: int | None,
    **options: Any,
) -> dict[str, Any]:
    """Train an FCN on the processor.

    Validation mIoU is measured on full frames, on averaged weights; the best checkpoint is kept. Beside it lie a log
    of one line per epoch (.csv) and the coarser decoders of the same training. The state of a running training is saved
    every five minutes in FCN_EDGE_RUNS (~/.cache/fcn_edge/runs): the same command goes on from there after a stop.
    """
    from fcn_edge.datasets.rendered import is_rendered

    rendered = is_rendered(data)
    _check_packages()
    import torch

    from fcn_edge.artifacts.records import over_classes
    from fcn_edge.io.opencv import cv2
    from fcn_edge.system.cpu import available_cores
    from fcn_edge.training.options import checked_options
    from fcn_edge.training.outputs import log_path
    from fcn_edge.training.train import train

    recipe = _recipe(checked_options(**options), data, init[0] if init else None)
    cores = available_cores()
    torch.set_num_threads(threads or cores)
    cv2().setNumThreads(1)  # the reading processes are the parallel part
    workers = min(MOST_WORKERS, cores - 1) if workers is None else workers
    try:
        result = train(
            recipe,
            data,
            output,
            init=init,
            teachers=teachers,
            unlabeled=unlabeled,
            workers=workers,
            display=_Display(rendered),
        )
    except KeyboardInterrupt:
        note("Stopped. The same command goes on from the last saved state.")
        raise
    log = log_path(output)
    if result.best_miou is not None:
        kind = "rendered val" if rendered else "val"
        over = over_classes(result.classes_present, result.classes)
        of = f"{kind} mIoU of {recipe.stages[-1].name}{over}"
        say(f"Best {of}: {result.best_miou:.2%} after {result.epochs} epochs in all")
    say(f"Wrote {', '.join(str(path) for path in result.checkpoints.values())}")
    say(f"Next: fcn-edge export {quoted(output)} -o {quoted(output.with_suffix('.onnx'))}")
    return {
        "checkpoint": str(output),
        "epochs": result.epochs,
        "best_miou": result.best_miou,
        "classes_present": result.classes_present,
        "checkpoints": {name: str(path) for name, path in result.checkpoints.items()},
        "log": str(log) if log.is_file() else None,
        "rendered": rendered,
    }


def _recipe(options: TrainingOptions, data: str, init: Path | None) -> Recipe:
    """The recipe, with sizes that fit the images where none were given."""
    from fcn_edge.datasets import splits_of
    from fcn_edge.training.fitting import typical_size

    if options.size is not None:
        return options.recipe(init)
    train = splits_of(data).get("train")
    recipe = options.recipe(init, images=typical_size(train)) if train else options.recipe(init)
    (height, width), crop = recipe.size, recipe.crop
    note(f"Network size {height}x{width}, crops of {crop[0]}x{crop[1]}")
    return recipe


def _check_packages() -> None:
    from importlib.util import find_spec

    for package in ("torch", "safetensors"):
        if find_spec(package) is None:
            raise MissingExtraError(package, "export", "Training")


class _Display:
    """One bar per epoch and a line after it, on standard error.

    Args:
        rendered: The validation images are rendered.
    """

    def __init__(self, rendered: bool) -> None:
        self._val = "rendered val" if rendered else "val"

    @contextmanager
    def epoch(self, stage: str, epoch: int, epochs: int) -> Iterator[Callable[[int, int, float], None]]:
        from tqdm import tqdm

        self._epochs = epochs
        with tqdm(desc=f"{stage} {epoch}/{epochs}", unit="step", disable=None, leave=False, dynamic_ncols=True) as bar:

            def moved(done: int, total: int, loss: float) -> None:
                bar.total = total
                bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)
                bar.update(done - bar.n)

            yield moved

    def finished(self, log: EpochLog, best: float) -> None:
        from fcn_edge.artifacts.records import over_classes

        scores = ", ".join(f"{name} {value:.2%}" for name, value in log.miou.items())
        over = over_classes(log.classes_present, log.classes)
        validated = f", {self._val} mIoU{over} {scores} (best {best:.2%})" if scores else ""
        note(f"{log.stage} epoch {log.epoch}/{self._epochs}: loss {log.loss:.4f}{validated}, {log.seconds:.0f} s")

    def note(self, message: str) -> None:
        note(message)
