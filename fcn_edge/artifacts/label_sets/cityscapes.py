"""The 19 classes that Cityscapes scores, by train id.

Sources: ``labels.py`` of mcordts/cityscapesScripts (4b83263), the rows whose trainId is 0 to 18; equal in torchvision
0.29.1 (``datasets/cityscapes.py``), mmsegmentation 1.2.2 (``datasets/cityscapes.py``) and Ultralytics 8.4.190
(``cityscapes.yaml``). Label files: ``*_labelTrainIds.png`` hold these ids and 255 for void, ``*_labelIds.png`` hold
other ids from 0 to 33 (``datasets/colors.py``).
"""

from __future__ import annotations

from fcn_edge.artifacts.label_sets.base import labels_of_table

__all__ = ["CITYSCAPES"]

CITYSCAPES = labels_of_table(
    "cityscapes",
    void=255,
    table="""
128  64 128 road
244  35 232 sidewalk
 70  70  70 building
102 102 156 wall
190 153 153 fence
153 153 153 pole
250 170  30 traffic light
220 220   0 traffic sign
107 142  35 vegetation
152 251 152 terrain
 70 130 180 sky
220  20  60 person
255   0   0 rider
  0   0 142 car
  0   0  70 truck
  0  60 100 bus
  0  80 100 train
  0   0 230 motorcycle
119  11  32 bicycle
""",
)
