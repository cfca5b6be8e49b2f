"""PASCAL-Context's 59 classes: with a background and without one, and in two orders.

``pascal-context`` (60) and ``pascal-context-59`` are mmsegmentation's: alphabetical, with and without the background
before them. Source: mmsegmentation 1.2.2 (``datasets/pascal_context.py``); the palette is the first 60 colors of its
ADE20K and gives bicycle and snow one color. Label files as its converter makes them hold 0 for the background and 1 to
59: ``pascal-context`` takes them as they are, ``pascal-context-59`` minus 1 (``reduce_zero_label``).

``pascal-context-caffe`` is the order of the FCN authors' own networks, 60 outputs: the background, PASCAL VOC's 20
classes in VOC's order, then the rest. Source: shelhamer/fcn.berkeleyvision.org (98d4b38), ``classes-59.txt`` in
``data/pascal-context``, with the colors of its ``vis.py`` (230e02c), VOC's color map. The classes are the same, and
three have other names: bedcloth, clothes and diningtable are mmsegmentation's bedclothes, cloth and table.
"""

from __future__ import annotations

from fcn_edge.artifacts.label_sets.base import LabelSet, labels_of_table

__all__ = ["PASCAL_CONTEXT", "PASCAL_CONTEXT_59", "PASCAL_CONTEXT_CAFFE"]

PASCAL_CONTEXT = labels_of_table(
    "pascal-context",
    void=255,
    table="""
120 120 120 background
180 120 120 aeroplane
  6 230 230 bag
 80  50  50 bed
  4 200   3 bedclothes
120 120  80 bench
140 140 140 bicycle
204   5 255 bird
230 230 230 boat
  4 250   7 book
224   5 255 bottle
235 255   7 building
150   5  61 bus
120 120  70 cabinet
  8 255  51 car
255   6  82 cat
143 255 140 ceiling
204 255   4 chair
255  51   7 cloth
204  70   3 computer
  0 102 200 cow
 61 230 250 cup
255   6  51 curtain
 11 102 255 dog
255   7  71 door
255   9 224 fence
  9   7 230 floor
220 220 220 flower
255   9  92 food
112   9 255 grass
  8 255 214 ground
  7 255 224 horse
255 184   6 keyboard
 10 255  71 light
255  41  10 motorbike
  7 255 255 mountain
224 255   8 mouse
102   8 255 person
255  61   6 plate
255 194   7 platform
255 122   8 pottedplant
  0 255  20 road
255   8  41 rock
255   5 153 sheep
  6  51 255 shelves
235  12 255 sidewalk
160 150  20 sign
  0 163 255 sky
140 140 140 snow
250  10  15 sofa
 20 255   0 table
 31 255   0 track
255  31   0 train
255 224   0 tree
153 255   0 truck
  0   0 255 tvmonitor
255  71   0 wall
  0 235 255 water
  0 173 255 window
 31   0 255 wood
""",
)

PASCAL_CONTEXT_59 = LabelSet("pascal-context-59", PASCAL_CONTEXT.classes[1:], PASCAL_CONTEXT.palette[1:], void=255)

PASCAL_CONTEXT_CAFFE = labels_of_table(
    "pascal-context-caffe",
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
128  64 128 bag
  0 192 128 bed
128 192 128 bench
 64  64   0 book
192  64   0 building
 64 192   0 cabinet
192 192   0 ceiling
 64  64 128 clothes
192  64 128 computer
 64 192 128 cup
192 192 128 door
  0   0  64 fence
128   0  64 floor
  0 128  64 flower
128 128  64 food
  0   0 192 grass
128   0 192 ground
  0 128 192 keyboard
128 128 192 light
 64   0  64 mountain
192   0  64 mouse
 64 128  64 curtain
192 128  64 platform
 64   0 192 sign
192   0 192 plate
 64 128 192 road
192 128 192 rock
  0  64  64 shelves
128  64  64 sidewalk
  0 192  64 sky
128 192  64 snow
  0  64 192 bedcloth
128  64 192 track
  0 192 192 tree
128 192 192 truck
 64  64  64 wall
192  64  64 water
 64 192  64 window
192 192  64 wood
""",
)
