"""What a picture file is, told by its first bytes and never by its name."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["HEAD", "Kind", "is_video", "kind_of"]

HEAD = 1024
"""Bytes of a file that are enough to tell its kind."""


@dataclass(frozen=True)
class Kind:
    """A format of pictures.

    Attributes:
        name: What messages call it, with its article.
        readable: OpenCV reads it, in some build at least.
        fix: What to do with a file that cannot be read.
    """

    name: str
    readable: bool = True
    fix: str = "Replace the file, or convert it to JPEG or PNG."


JPEG = Kind("a JPEG image")
PNG = Kind("a PNG image")
BMP = Kind("a BMP image")
WEBP = Kind("a WebP image")
TIFF = Kind("a TIFF image")
PNM = Kind("a PNM image")
GIF = Kind("a GIF image")
AVIF = Kind("an AVIF image", fix="Convert it to JPEG or PNG, such as with: avifdec FILE.avif FILE.png")
JPEG_2000 = Kind("a JPEG 2000 image", fix="Convert it to PNG, such as with: opj_decompress -i FILE.jp2 -o FILE.png")

_SAVE = "Save it as PNG with the program that made it."
_DEVELOP = "Export it as JPEG or PNG with the camera or a raw developer such as darktable."
_TONES = "Save it with 8 bits a channel, as PNG."
RAW = Kind("a camera's raw photo", False, _DEVELOP)
HEIC = Kind(
    "a HEIC photo",
    False,
    "Convert it to JPEG, such as with: heif-convert FILE.heic FILE.jpg (apt-get install libheif-examples). An iPhone "
    "takes JPEGs with Settings, Camera, Formats, Most Compatible.",
)
JPEG_XL = Kind("a JPEG XL image", False, "Convert it to PNG, such as with: djxl FILE.jxl FILE.png")
SVG = Kind("an SVG drawing", False, "Draw it as PNG, such as with: rsvg-convert FILE.svg -o FILE.png")

_BEGINNINGS: tuple[tuple[bytes, Kind], ...] = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"II+\0", TIFF),
    (b"MM\0+", TIFF),
    (b"\0\0\0\x0cjP  \r\n\x87\n", JPEG_2000),
    (b"\xff\x4f\xff\x51", JPEG_2000),
    (b"\0\0\0\x0cJXL \r\n\x87\n", JPEG_XL),
    (b"\xff\x0a", JPEG_XL),
    (b"IIU\0", RAW),
    (b"IIRO", RAW),
    (b"IIRS", RAW),
    (b"MMOR", RAW),
    (b"FUJIFILMCCD-RAW", RAW),
    (b"FOVb", RAW),
    (b"II\xbc\x01", Kind("a JPEG XR image", False, _SAVE)),
    (b"8BPS", Kind("a Photoshop document", False, _SAVE)),
    (b"gimp xcf", Kind("a GIMP document", False, _SAVE)),
    (b"v/1\x01", Kind("an OpenEXR image", False, _TONES)),
    (b"#?RADIANCE", Kind("a Radiance HDR image", False, _TONES)),
    (b"#?RGBE", Kind("a Radiance HDR image", False, _TONES)),
    (b"PF\n", Kind("a PFM image", False, _TONES)),
    (b"Pf\n", Kind("a PFM image", False, _TONES)),
    (b"SIMPLE  =", Kind("a FITS image", False, _TONES)),
    (b"qoif", Kind("a QOI image", False, _SAVE)),
    (b"DDS ", Kind("a DDS texture", False, _SAVE)),
    (b"%PDF-", Kind("a PDF document", False, "Draw its page as PNG, such as with: pdftoppm -png FILE.pdf PAGE")),
)

_PNM = re.compile(rb"P[1-6](?:\s|#[^\n]*\n)+\d+\s|P7\n")
_SVG = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml|<!--|<!DOCTYPE|<svg)[\s\S]*<svg[\s>]|\s*<svg[\s>]")
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_BMP_HEADERS = frozenset(size.to_bytes(4, "little") for size in (12, 16, 40, 52, 56, 64, 108, 124))
"""Lengths of the second header, which tell its version: any text may begin with BM."""


def kind_of(head: bytes) -> Kind | None:
    """The kind of a picture file; None where it is none that is known.

    Args:
        head: Its first ``HEAD`` bytes.
    """
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            return RAW if kind is TIFF and head[8:10] == b"CR" else kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head[4:8] == b"ftyp":
        return _of_brands(head)
    if head.startswith(b"BM") and head[14:18] in _BMP_HEADERS:
        return BMP
    if _PNM.match(head):
        return PNM
    if head[128:132] == b"DICM":
        return Kind("a DICOM image", False, _TONES)
    return SVG if _SVG.match(head) and b"<html" not in head else None


def is_video(head: bytes) -> bool:
    """Whether a file begins as those of the usual containers of videos do.

    Args:
        head: Its first ``HEAD`` bytes.
    """
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        return kind_of(head) is None
    if head[:4] == b"RIFF":
        return head[8:12] == b"AVI "
    # packets of MPEG-TS have 188 bytes, those of a camera's M2TS 4 more in front
    transport = any(head[start : start + 2 * step : step] == b"GG" for start, step in ((0, 188), (4, 192)))
    return transport or head.startswith(
        (b"\x1a\x45\xdf\xa3", b"OggS", b"FLV\x01", b"\0\0\x01\xba", b"0&\xb2u\x8ef\xcf\x11")
    )


def _of_brands(head: bytes) -> Kind | None:
    """Of a file of ISO boxes, which may be a video, too."""
    end = max(16, min(int.from_bytes(head[:4], "big"), len(head)))
    first, brands = head[8:12], {head[at : at + 4] for at in range(16, end - 3, 4)}
    if first == b"crx ":
        return RAW
    if first not in _HEIF_BRANDS | _AVIF_BRANDS:
        return None
    return AVIF if _AVIF_BRANDS & {first, *brands} else HEIC
