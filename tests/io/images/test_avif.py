"""AVIF: the turn that the boxes of a file ask for, which OpenCV passes over."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from fcn_edge.io.images.avif import avif_facts
from fcn_edge.io.images.kinds import AVIF
from fcn_edge.io.images.reading import orientation_of, read_image
from fcn_edge.io.images.support import is_built_in
from fcn_edge.io.opencv import cv2


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", 8 + len(data)) + kind + data


def avif(*turns: bytes, indices: tuple[int, ...] = (1, 2, 3), item: int = 1) -> bytes:
    """The header of a file of 30x40 pixels whose item ``item`` has the properties ``indices``."""
    ipco = box(b"ipco", box(b"ispe", struct.pack(">III", 0, 40, 30)) + b"".join(turns))
    ipma = box(b"ipma", struct.pack(">IIHB", 0, 1, item, len(indices)) + bytes(128 | index for index in indices))
    pitm = box(b"pitm", struct.pack(">IH", 0, 1))
    return box(b"ftyp", b"avif" + bytes(4) + b"avif") + box(b"meta", bytes(4) + pitm + box(b"iprp", ipco + ipma))


IROT = [box(b"irot", bytes([angle])) for angle in range(4)]
IMIR = [box(b"imir", bytes([axis])) for axis in range(2)]


@pytest.mark.parametrize(
    ("turns", "orientation"),
    [
        ((), 1),
        ((IROT[1],), 8),
        ((IROT[2],), 3),
        ((IROT[3],), 6),
        ((IMIR[0],), 4),
        ((IMIR[1],), 2),
        ((IROT[1], IMIR[0]), 5),
        ((IROT[3], IMIR[0]), 7),
    ],
)
def test_the_turn_of_a_file_is_exifs_number(turns: tuple[bytes, ...], orientation: int) -> None:
    facts = avif_facts(avif(*turns))
    assert (facts.height, facts.width, facts.orientation) == (30, 40, orientation)


def test_the_turn_of_another_item_is_none_of_the_picture() -> None:
    assert avif_facts(avif(IROT[1], item=2)).orientation == 1
    assert avif_facts(avif(IROT[1], indices=(1,))).orientation == 1


def test_properties_that_are_not_there_are_no_error() -> None:
    assert avif_facts(avif(indices=(0, 9, 127))).orientation == 1


def turned_file(angle: int) -> bytes:
    """A picture whose left half is white, with a quarter turn for its only item."""
    image = np.zeros((32, 48, 3), np.uint8)
    image[:, :24] = 255
    content = cv2().imencode(".avif", image)[1].tobytes()
    for kind in (b"meta", b"iprp", b"ipco", b"ipma"):
        start = content.index(kind) - 4
        (size,) = struct.unpack_from(">I", content, start)
        # irot has 9 bytes, and its entry in ipma one
        grown = size + {b"ipco": 9, b"ipma": 1}.get(kind, 10)
        content = content[:start] + struct.pack(">I", grown) + content[start + 4 :]
    start = content.index(b"ipco") - 4
    end = start + struct.unpack_from(">I", content, start)[0] - 9
    count = 0
    at = start + 8
    while at < end:
        count, at = count + 1, at + struct.unpack_from(">I", content, at)[0]
    content = content[:end] + IROT[angle] + content[end:]
    entry = content.index(b"ipma") + 4 + 8 + 2
    properties = content[entry]
    last = entry + 1 + properties
    added = bytes([128 | count + 1])
    content = content[:entry] + bytes([properties + 1]) + content[entry + 1 : last] + added + content[last:]
    data = content.index(b"mdat") + 4
    return content.replace(struct.pack(">I", data - 10), struct.pack(">I", data))


def test_a_turned_picture_is_read_upright(tmp_path: Path) -> None:
    if not is_built_in(AVIF):
        pytest.skip("this OpenCV has no AVIF")
    path = tmp_path / "turned.avif"
    path.write_bytes(turned_file(3))
    image = read_image(path)
    assert orientation_of(path) == 6
    assert image.shape == (48, 32, 3)
    # clockwise: what was left is above
    assert image[:20].min() > 200
    assert image[28:].max() < 50
