"""What was measured, and on what: the accuracy and speed that manifests and engines carry."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from fcn_edge.artifacts.spec import Fraction, Size

__all__ = ["AccuracyRecord", "Speed"]

Count = Annotated[int, Field(ge=1)]
Milliseconds = Annotated[float, Field(ge=0)]


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
        miou: Mean IU over the classes that occur.
        pixel_accuracy: Share of the labeled pixels that are right.
        mean_accuracy: Mean over the classes of their share of right pixels.
        fw_iou: Frequency-weighted IU.
        per_class: IU by class name; None for classes that do not occur.
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
