"""PASCAL VOC's 20 classes after the background.

Sources: mmsegmentation 1.2.2 (``datasets/voc.py``), names and palette; the names are equal in torchvision 0.29.1
(``models/_meta.py``), which calls the first ``__background__``, and Ultralytics 8.4.190 (``VOC.yaml``) has the other
20 in this order, as boxes need no background. The colors are VOC's color map (``generated_palette``). Label files hold
these ids, and 255 for void.
"""

from __future__ import annotations

from fcn_edge.artifacts.label_sets.base import labels_of_table

__all__ = ["VOC"]

VOC = labels_of_table(
    "voc",
    void=255,
    table="""
  0   0   0 background
128   0   0 aeroplane
  0 128   0 bicycle
128 128   0 bird
  0   0 128 boat
128   0 128 bottle
  0 128 128 bus
128 128 128 car
 64   0   0 cat
192   0   0 chair
 64 128   0 cow
192 128   0 diningtable
 64   0 128 dog
192   0 128 horse
 64 128 128 motorbike
192 128 128 person
  0  64   0 pottedplant
128  64   0 sheep
  0 192   0 sofa
128 192   0 train
  0  64 128 tvmonitor
""",
)
