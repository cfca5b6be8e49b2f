"""Images and label maps on disk: known by their content, bounded, read with OpenCV and checked.

This is the one door for image files: a file is what its first bytes say, its sides are read and bounded before a
decoder sees it, and what a decoder complains of becomes an error or a doubt of ours.
"""

from fcn_edge.io.images.folders import IMAGE_SUFFIXES, FoundImages, images_among, is_picture
from fcn_edge.io.images.reading import (
    Doubt,
    doubted_image,
    orientation_of,
    read_ids,
    read_image,
    read_labels,
    write_png,
)

__all__ = [
    "IMAGE_SUFFIXES",
    "Doubt",
    "FoundImages",
    "doubted_image",
    "images_among",
    "is_picture",
    "orientation_of",
    "read_ids",
    "read_image",
    "read_labels",
    "write_png",
]
