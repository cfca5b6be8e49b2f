"""Masks in a folder, and the overlay of a single image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.errors import UsageError
from fcn_edge.io.files import replacing
from fcn_edge.io.folders import make_folder
from fcn_edge.io.images.png import is_marked, marked
from fcn_edge.io.opencv import cv2
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks.base import Sink, SinkContext

__all__ = ["ImageSink", "MaskFolderSink"]


class MaskFolderSink(Sink):
    """One single-channel 8-bit PNG of class ids per frame, named after the frame. The folder is made.

    Masks of an earlier run are replaced; a file of the same name that no run wrote may be labels that somebody drew.

    Args:
        folder: Where they go.

    Raises:
        UsageError: The folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        try:
            make_folder(folder)
        except FileExistsError as error:
            raise UsageError(
                f"The folder {folder} cannot be made: a file, a pipe or a device has that name.",
                "Give another name, or null: to write nothing.",
            ) from error
        except OSError as error:
            raise UsageError(
                f"The folder {folder} cannot be made: {error.strerror}.", "Give a folder in a place that is yours."
            ) from error
        self._folder = folder
        self._wrote = False

    @property
    @override
    def wrote(self) -> tuple[Path, ...]:
        return (self._folder,) if self._wrote else ()

    @override
    def write(self, result: Result) -> None:
        path = self._folder / f"{result.frame.name}.png"
        if path.is_file() and not is_marked(path):
            raise UsageError(
                f"{path} is there, and no run of fcn-edge wrote it: its labels may have been drawn by hand.",
                "Give another folder, or move the file away.",
            )
        _write_image(path, marked(_encoded(path, result.labels)))
        self._wrote = True


class ImageSink(Sink):
    """The overlay of one frame as an image.

    Args:
        path: The file; its suffix chooses the format.
        context: What the stream is.
    """

    def __init__(self, path: Path, context: SinkContext) -> None:
        self._path = path
        self._overlay = context.overlay
        self._wrote = False

    @property
    @override
    def wrote(self) -> tuple[Path, ...]:
        return (self._path,) if self._wrote else ()

    @override
    def write(self, result: Result) -> None:
        _write_image(self._path, _encoded(self._path, self._overlay(result)))
        self._wrote = True


def _encoded(path: Path, image: NDArray[np.uint8]) -> bytes:
    return bytes(cv2().imencode(path.suffix, image)[1])


def _write_image(path: Path, content: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(content)
