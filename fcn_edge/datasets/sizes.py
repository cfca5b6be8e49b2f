"""Do an image and its labels lie on each other? A photo may be turned by its EXIF orientation, labels never are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fcn_edge.errors import DatasetError
from fcn_edge.io.images import orientation_of
from fcn_edge.text import quoted

__all__ = ["Turned", "size_error"]

TURNS = {
    2: "mirrored left to right",
    3: "turned by 180 degrees",
    4: "mirrored top to bottom",
    5: "turned by 90 degrees clockwise and mirrored left to right",
    6: "turned by 90 degrees clockwise",
    7: "turned by 90 degrees counterclockwise and mirrored left to right",
    8: "turned by 90 degrees counterclockwise",
}
"""What each orientation does to the stored picture."""

SIDEWAYS = frozenset({5, 6, 7, 8})


def size_error(
    image: Path, size: Sequence[int], labels: Path, label_size: Sequence[int], orientation: int
) -> DatasetError:
    """What to say of labels of another size than their image.

    Args:
        image: The image file.
        size: Its ``(height, width)`` as it is read.
        labels: The label file.
        label_size: Its ``(height, width)``.
        orientation: EXIF's orientation of the image, 1 to 8.

    Raises:
        DatasetError: The label file is unreadable.
    """
    shown = f"{size[0]}x{size[1]}", f"{label_size[0]}x{label_size[1]}"
    if orientation in SIDEWAYS and (size[0], size[1]) == (label_size[1], label_size[0]):
        turn = TURNS[orientation]
        return DatasetError(
            f"{image} is {turn} by its EXIF orientation ({orientation}) and so {shown[0]}; its labels are {shown[1]} "
            "(height x width), as the photo lies in its file.",
            f"{labels} must be {turn}, too, without a change of its numbers. Or take the orientation out of the photo: "
            f"exiftool -Orientation= {quoted(image)}",
        )
    own = orientation_of(labels)
    if own in SIDEWAYS and (size[0], size[1]) == (label_size[1], label_size[0]):
        return DatasetError(
            f"{labels} is {shown[1]} as it lies in its file, and {image} is {shown[0]} (height x width): the labels "
            f"have an EXIF orientation ({own}) of their own, which is not applied to class ids.",
            f"Save them {TURNS[own]}, without an orientation and without a change of their numbers.",
        )
    return DatasetError(
        f"{image} is {shown[0]} and its labels are {shown[1]} (height x width); they must be of one size.",
        f"Resize {labels} to the image with nearest-neighbor sampling.",
    )


class Turned:
    """Counts images whose orientation their size does not show: upside down, mirrored, or square."""

    def __init__(self) -> None:
        self._count = 0
        self._first = ""

    def add(self, image: Path, size: Sequence[int]) -> int:
        """Count an image of ``(height, width)`` where its labels' size cannot tell; returns its orientation.

        Raises:
            DatasetError: It is unreadable.
        """
        orientation = orientation_of(image)
        if orientation != 1 and (orientation not in SIDEWAYS or size[0] == size[1]):
            self._count += 1
            self._first = self._first or f"{image} is {TURNS[orientation]}"
        return orientation

    def warning(self) -> str:
        """A sentence; empty where there was none."""
        if not self._count:
            return ""
        images = "1 image is" if self._count == 1 else f"{self._count} images are"
        return (
            f"{images} turned by EXIF orientation, and no size tells whether the labels are turned alike "
            f"(the first: {self._first}). Look at one with its labels."
        )
