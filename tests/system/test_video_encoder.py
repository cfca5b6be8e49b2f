from __future__ import annotations

from pathlib import Path

import pytest

from fcn_edge.system.video_encoder import may_have_encoder

from ..doctor import trees
from ..doctor.trees import written

PYTHON = {"usr/bin/python3": ""}
NAME = "sys/class/video4linux/video{}/name"


@pytest.mark.parametrize(
    ("files", "may"),
    [
        (PYTHON, False),
        (PYTHON | trees.release(36, "4.3"), True),
        (trees.release(36, "4.3"), False),
        (PYTHON | {NAME.format(0): "UVC Camera (046d:0825)\n", NAME.format(11): "bcm2835-codec-encode\n"}, True),
        (PYTHON | {NAME.format(0): "UVC Camera (046d:0825)\n", NAME.format(10): "bcm2835-codec-decode\n"}, False),
    ],
)
def test_what_may_have_an_encoder(tmp_path: Path, files: dict[str, str], may: bool) -> None:
    assert may_have_encoder(written(tmp_path, files)) == may
