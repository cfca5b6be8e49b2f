"""``fcn-edge data``: check a data set, or import one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fcn_edge.cli.progress import progress_bar
from fcn_edge.cli.table import table
from fcn_edge.cli.verb import failure, note, say, verb
from fcn_edge.errors import DatasetError, UsageError
from fcn_edge.text import quoted

if TYPE_CHECKING:
    from fcn_edge.datasets.check import DatasetReport

__all__ = ["command"]

_SHOWN = 8
"""Colors and ids without a class that are named one by one."""

VAL = "val"


@click.group()
def command() -> None:
    """Check a data set, or import one from color masks and other ids."""


@command.command("check", epilog="Example: fcn-edge data check data/camvid")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@verb
def check(directory: Path) -> dict[str, Any]:
    """Is a data set whole and balanced?

    DIR is a split (images/ and labels/) or a root of splits. Every file is read, and every problem is listed: missing
    labels, unreadable files, wrong label values, sizes that differ, images that are in two splits. Exit code 3 when
    there is any.
    """
    from fcn_edge.datasets.check import check_dataset

    with progress_bar("checking") as progress:
        report = check_dataset(directory, progress)
    _print(report)
    result = report.to_json()
    if report.problems:
        count = len(report.problems)
        error = DatasetError(
            f"{directory} has {count} problem{'s' if count > 1 else ''}; the first: {report.problems[0]}",
            "Correct or remove the files, then check again.",
        )
        return {**result, **failure(error)}
    return result


def _print(report: DatasetReport) -> None:
    info = report.splits[0].info
    say(f"{info.name}: {len(info.classes)} classes, void {info.void}")
    for split in report.splits:
        sizes = ", ".join(f"{count} of {height}x{width}" for (height, width), count in split.sizes.most_common(4))
        more = f" and {len(split.sizes) - 4} other sizes" if len(split.sizes) > 4 else ""
        say(f"{split.name}: {_images(split.images)} ({sizes or 'none readable'}{more})")
    say()
    alike = [split for split in report.splits if split.info.classes == info.classes]
    rows = [
        [name, *(_percent(float(split.shares[number])) for split in alike)] for number, name in enumerate(info.classes)
    ]
    rows.append(["void (of all pixels)", *(_percent(split.void_share) for split in alike)])
    say(table(["share of labeled pixels", *(split.name for split in alike)], rows))
    if report.problems or report.warnings:
        say()
    for warning in report.warnings:
        say(f"Warning: {warning}")
    for problem in report.problems:
        say(f"Problem: {problem}")
    if not report.problems:
        say()
        say("The data set is whole.")


def _images(count: int) -> str:
    return f"{count} image{'s' * (count != 1)}"


def _percent(share: float) -> str:
    return f"{share:.2%}" if share else "-"


@command.command(
    "import",
    epilog="Example: fcn-edge data import raw/images raw/masks -o data/mine --colors camvid --label-ending _L",
)
@click.argument("images", type=click.Path(path_type=Path))
@click.argument("labels", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Root of the data set.")
@click.option("--colors", metavar="FILE|NAME", help="Colors of the classes: a file, or a label set such as camvid.")
@click.option(
    "--map", "map_", metavar="FILE|NAME", help="Ids or colors of the classes: a file, or a label set such as ade20k."
)
@click.option("--split", default="train", show_default=True, help="Name of the new split.")
@click.option(
    "--val",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="SHARE",
    help="Hold back this share of the images as the split val: the last ones by name, so that neighbors of a video "
    "stay on one side. Images of another place are better.",
)
@click.option(
    "--tolerance",
    type=click.IntRange(0, 255),
    default=0,
    show_default=True,
    help="Colors that no class has take the nearest one when no channel differs by more than this.",
)
@click.option(
    "--unmapped",
    type=click.Choice(["error", "void"]),
    default="error",
    show_default=True,
    help="What to do with colors and ids that the mapping does not name.",
)
@click.option("--image-ending", default="", help="What image stems end in besides the common part.")
@click.option("--label-ending", default="", help="What label stems end in besides the common part, such as _L.")
@click.option(
    "--list", "list_", type=click.Path(path_type=Path), help="Text file: take only these stems, one per line."
)
@click.option("--link", is_flag=True, help="Hard-link the images instead of copying them.")
@verb
def import_(
    images: Path,
    labels: Path,
    output: Path,
    colors: str | None,
    map_: str | None,
    split: str,
    val: float | None,
    tolerance: int,
    unmapped: Any,
    image_ending: str,
    label_ending: str,
    list_: Path | None,
    link: bool,
) -> dict[str, Any]:
    """Make a split of images and foreign label files.

    IMAGES and LABELS are directories whose files have the same stems (sub-directories are followed). Color masks and
    files of other ids become class ids by --colors or --map; both can merge classes. Images are copied, or
    hard-linked with --link; label files and dataset.toml are written anew. The split is there as a whole or not at all.

    Mapping files are TOML or JSON; a class takes one source or several, ids or colors, and "void" takes what is to be
    ignored:

    \b
        name = "street"
        [classes]
        road = [7, 9]              # or ["#804080", "#8000c0"]
        person = [24, 25]
        void = [0, 255]

    Files of colors may also be a dataset.toml with a palette, or have lines such as "128 64 128 road" (as CamVid's
    label_colors.txt) or "road:128,64,128::" (as CVAT's labelmap.txt).
    """  # noqa: D301 (click's mark for lines to leave as they are)
    from fcn_edge.datasets.convert import LabelConverter, import_splits
    from fcn_edge.datasets.held_back import held_back
    from fcn_edge.datasets.mapping import mapping_of_colors, mapping_of_file
    from fcn_edge.datasets.pairing import paired_files

    if (colors is None) == (map_ is None):
        raise UsageError(
            "How the labels are coded was not said, or said twice.", "Give either --colors or --map; see --help."
        )
    if val is not None and split == VAL:
        raise UsageError("The split val cannot be held back from itself.", "Leave out --val, or give another --split.")
    mapping = mapping_of_colors(colors) if colors is not None else mapping_of_file(str(map_))
    if tolerance and mapping.kind == "ids":
        raise UsageError("A tolerance has no meaning for ids.", "Leave out --tolerance.")
    converter = LabelConverter(mapping, tolerance=tolerance, unmapped=unmapped)
    found = paired_files(images, labels, image_ending=image_ending, label_ending=label_ending, wanted=list_)
    parts = {split: found.pairs}
    if val is not None:
        parts[split], parts[VAL] = held_back(found.pairs, val)
    with progress_bar("importing") as progress:
        results = import_splits(parts, converter, output, link=link, progress=progress)
    result = results[0]
    voided = list(results[-1].voided.items())  # the converter counts on
    for source, pixels in voided[:_SHOWN]:
        note(f"Warning: {source} is in no class: {pixels} pixels became void.")
    if len(voided) > _SHOWN:
        more = sum(pixels for _, pixels in voided[_SHOWN:])
        note(f"Warning: {len(voided) - _SHOWN} more in no class: {more} pixels became void.")
    for each in results:
        if each.warning:
            note(f"Warning: {each.warning}")
    if found.unused:
        note(f"Warning: {len(found.unused)} label files have no image; the first is {found.unused[0]}.")
    rows = [[name, *(_percent(each.shares[name]) for each in results)] for name in result.info.classes]
    say(table(["share of labeled pixels", *parts], rows))
    say()
    where = ", ".join(f"{_images(each.images)} in {each.split}" for each in results)
    say(f"{where}. Check all splits with: fcn-edge data check {quoted(output)}")
    return {
        "path": str(result.split),
        "name": result.info.name,
        "classes": list(result.info.classes),
        "images": result.images,
        "shares": result.shares,
        "val": {"path": str(results[1].split), "images": results[1].images, "shares": results[1].shares}
        if val is not None
        else None,
        "voided": dict(voided),
        "unused_labels": len(found.unused),
    }
