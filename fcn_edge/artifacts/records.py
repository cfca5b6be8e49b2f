"""What was measured, and on what: the accuracy and speed that manifests and engines carry."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, computed_field

from fcn_edge.artifacts.spec import Fraction, Size

__all__ = ["AccuracyRecord", "Speed", "over_classes"]

Count = Annotated[int, Field(ge=1)]
Milliseconds = Annotated[float, Field(ge=0)]


def over_classes(present: int, classes: int) -> str:
    """What follows a mean over ``present`` of so many classes: `` over 10 of 11 classes``; nothing where over all."""
    return "" if present == classes else f" over {present} of {classes} classes"


class _Measurement(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class AccuracyRecord(_Measurement):
    """Measures of segmentation on labeled images (Long, Shelhamer and Darrell 2015), as fractions of 1.

    The keys are those that ``evaluate`` prints: ``AccuracyRecord.model_validate(accuracy.to_json())`` makes one.

    Attributes:
        dataset: Name of the data set.
        split: Name of the split.
        rendered: The images were rendered, so that no accuracy on real ones follows.
        images: How many there were.
        size: ``(height, width)`` of the network's input.
        miou: Mean IU over the classes that the labels show.
        pixel_accuracy: Share of the labeled pixels that are right.
        mean_accuracy: Mean over the same classes of their share of right pixels.
        fw_iou: Frequency-weighted IU.
        per_class: IU by name of each of the model's classes; None for those that the labels do not show.
    """

    dataset: str
    split: str
    rendered: bool = False
    images: Count
    size: Size
    miou: Fraction
    pixel_accuracy: Fraction
    mean_accuracy: Fraction
    fw_iou: Fraction
    per_class: dict[str, Fraction | None]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def classes_present(self) -> int:
        """How many classes the means are over; written for those who read the document, and never read from it."""
        return sum(value is not None for value in self.per_class.values())

    @property
    def over(self) -> str:
        """What follows ``miou`` where it is not over all classes, such as `` over 10 of 11 classes``."""
        return over_classes(self.classes_present, len(self.per_class))


class Speed(_Measurement):
    """Times of a frame, medians in milliseconds, one frame after the other; of several at once, each one's share.

    Attributes:
        network_ms: The network alone.
        end_to_end_ms: From the frame in memory to its mask.
        frames: How many were measured.
        frame_size: ``(height, width)`` of the frames.
        source: What they showed.
        device: Name of the device.
    """

    network_ms: Milliseconds
    end_to_end_ms: Milliseconds
    frames: Count
    frame_size: Size
    source: str
    device: str
