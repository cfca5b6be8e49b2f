"""A folder with what the documents' commands are run on: rendered scenes and made-up results."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.bench.result import write_result
from fcn_edge.datasets.info import DATASET_FILE, DatasetInfo, toml_of_info
from fcn_edge.datasets.rendered import RenderedSplit
from tests.bench_results import bench_result, bench_row

CAMVID = LABEL_SETS["camvid"]
FEW = {"sky": "sky", "road": "road", "car": "car"}
"""The classes of the cookbook's own data, by CamVid's name; everything else is background, in a tree's color."""

QUICK = {
    "train": "--epochs 1 --stages at-once --crop 64x96 --size 96x128 --workers 0",
    "export": "--size 96x128",
    "calibrate": "-n 6 --size 96x128",
    "bench": "--rounds 1 --frames 1 --size 96x128",
    "build": "--size 96x128 --max-drop 0.05 --max-class-drop 0.5",
}
"""What a test adds to a verb, so that it is quick; on few small images a rare class has a handful of pixels."""

Scene = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def scenes(seed: int, count: int) -> list[Scene]:
    """Images ``(120, 160, 3)`` uint8 BGR of one rendered street, a second apart, and their class ids."""
    split = RenderedSplit.from_uri(f"synthetic://street?seed={seed}&frames={count}&size=120x160&fps=1")
    return [sample.pair() for sample in split]


def write_workspace(folder: Path) -> None:
    """Write data sets, photos, a video and results of benchmarks into a folder."""
    train, val = scenes(41, 10), scenes(42, 8)
    for name, split in (("train", train), ("val", val)):
        write_split(folder / "raw" / name, split, "masks", [_color_mask(labels, few=True) for _, labels in split])
        write_split(folder / "camvid" / name, split, "labels", [labels for _, labels in split])
    info = DatasetInfo(name="camvid", classes=CAMVID.classes, void=CAMVID.void, palette=CAMVID.palette)
    (folder / "camvid" / DATASET_FILE).write_text(toml_of_info(info), encoding="utf-8")
    for number, (image, labels) in enumerate(val[:2]):
        for part, content in (("photos", image), ("labels", _color_mask(labels))):
            (folder / part).mkdir(exist_ok=True)
            cv2.imwrite(str(folder / part / f"{number}.png"), content)
    cv2.imwrite(str(folder / "frame.png"), val[0][0])
    for name in ("before", "after", "results"):
        write_result(folder / f"{name}.json", bench_result(bench_row(), bench_row("fcn16s", "int8", milliseconds=20)))
    video = cv2.VideoWriter(str(folder / "drive.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 25, (160, 120))
    for image, _ in val[:5]:
        video.write(image)
    video.release()


def write_split(folder: Path, split: list[Scene], part: str, masks: list[NDArray[np.uint8]]) -> None:
    """Write the images of scenes, and masks of them into a folder of their own beside."""
    for name in ("images", part):
        (folder / name).mkdir(parents=True)
    for number, ((image, _), mask) in enumerate(zip(split, masks, strict=True)):
        cv2.imwrite(str(folder / f"images/{folder.name}{number}.png"), image)
        cv2.imwrite(str(folder / part / f"{folder.name}{number}.png"), mask)


def _color_mask(labels: NDArray[np.uint8], *, few: bool = False) -> NDArray[np.uint8]:
    palette = np.zeros((256, 3), np.uint8)
    for index, name in enumerate(CAMVID.classes):
        shown = FEW.get(name, "tree") if few else name
        palette[index] = CAMVID.palette[CAMVID.classes.index(shown)]
    return np.ascontiguousarray(palette[labels][..., ::-1])
