"""GStreamer's encoders of H.264, and the pipeline that ``encoders.worker`` is to build for each.

Names come from ``ELEMENTS`` and from nowhere else; nothing that a user wrote becomes part of a pipeline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from fcn_edge.artifacts.spec import Size

__all__ = ["BOARD", "ELEMENTS", "KERNELS", "NVIDIAS", "encoder_pipeline"]

NVIDIAS, KERNELS = "nvv4l2h264enc", "v4l2h264enc"
"""The encoder of a Jetson, and the one of other boards, through the kernel."""

BITS_PER_PIXEL = 0.15
"""What overlays of a drive took at 25 frames a second (``libx264.PRESET``); these encoders are told a rate."""
LEAST_BITRATE = 500_000
SELDOM = 10
"""Seconds between keyframes of an encoder that surely makes those that it is asked for."""
PICTURES = 2
"""That may wait before the encoder."""

_Element = dict[str, Any]


def _nvv4l2h264enc(bitrate: int, a_second: int) -> list[_Element]:
    """The video engine of a Jetson; a property that a release does not have is left out by the worker."""
    return [
        _element("nvvidconv"),
        _caps("video/x-raw(memory:NVMM),format=NV12"),
        _element(
            NVIDIAS,
            **{
                "bitrate": bitrate,
                "control-rate": "0",  # variable
                "profile": "4",  # High
                "preset-level": "1",  # the fastest
                "maxperf-enable": True,
                "iframeinterval": a_second,
                "idrinterval": a_second,
                "insert-sps-pps": True,
                "insert-vui": True,
            },
        ),
    ]


def _v4l2h264enc(bitrate: int, a_second: int) -> list[_Element]:
    """An encoder that the kernel offers, as on a Raspberry Pi 4."""
    controls = f"controls,repeat_sequence_header=1,video_bitrate={bitrate},h264_i_frame_period={a_second}"
    # without a level in the caps it does not start
    return [_element(KERNELS, **{"extra-controls": controls}), _caps("video/x-h264,level=(string)4")]


def _x264enc(_bitrate: int, a_second: int) -> list[_Element]:
    """x264 as the system has it."""
    return [
        _element(
            "x264enc",
            **{
                "tune": "zerolatency",
                "speed-preset": "ultrafast",
                "option-string": "deblock=0,0",
                "pass": "qual",
                "quantizer": 25,
                "threads": 1,
                "key-int-max": SELDOM * a_second,
                "aud": False,
            },
        )
    ]


def _openh264enc(bitrate: int, a_second: int) -> list[_Element]:
    """Cisco's encoder."""
    return [
        _element(
            "openh264enc",
            **{
                "bitrate": bitrate,
                "complexity": "low",
                "multi-thread": 1,
                "rate-control": "bitrate",
                "gop-size": SELDOM * a_second,
            },
        )
    ]


ELEMENTS: Mapping[str, Callable[[int, int], list[_Element]]] = MappingProxyType(
    {
        NVIDIAS: _nvv4l2h264enc,
        KERNELS: _v4l2h264enc,
        "x264enc": _x264enc,
        "openh264enc": _openh264enc,
    }
)
"""What makes an encoder's part of the pipeline of bits a second and pictures a second."""

BOARD = (NVIDIAS, KERNELS)
"""Those that are a board's own hardware, in the order in which they are tried."""


def encoder_pipeline(name: str, size: Size, rate: Fraction) -> dict[str, Any]:
    """What the worker builds: I420 in, access units of H.264 in Annex B out, parameter sets before each keyframe.

    Args:
        name: One of ``ELEMENTS``.
        size: ``(height, width)``, both even.
        rate: Pictures a second, as far as anybody knows.
    """
    height, width = size
    caps = f"video/x-raw,format=I420,width={width},height={height},framerate={rate.numerator}/{rate.denominator}"
    bitrate = max(round(BITS_PER_PIXEL * height * width * rate), LEAST_BITRATE)
    source = {"caps": caps, "format": "time", "block": True, "max-bytes": PICTURES * height * width * 3 // 2}
    steps = [
        _element("appsrc", **source),
        *ELEMENTS[name](bitrate, max(round(rate), 1)),
        _element("h264parse", **{"config-interval": -1}),
        _caps("video/x-h264,stream-format=byte-stream,alignment=au"),
        _element("appsink", sync=False),
    ]
    return {"steps": steps}


def _element(factory: str, **properties: Any) -> _Element:
    return {"factory": factory, "properties": properties}


def _caps(text: str) -> _Element:
    return _element("capsfilter", caps=text)
