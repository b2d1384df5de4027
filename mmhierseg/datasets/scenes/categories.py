"""The categories of objects and the parts that they are made of.

Names and ids of the categories are those of the first twelve classes of
Pascal VOC, so that its dataset classes and configs apply. They are drawings:
a dog here says nothing about how well a model recognises dogs.

Every object is a list of parts, drawn in this order, each a union of shapes
in the object's frame (about [-1, 1]^2, y downwards). Categories share parts
and materials, so that no single part or texture identifies a category.
"""

from typing import NamedTuple

import numpy as np

from .shapes import Shape, bar, box, disc, ellipse, polygon, ring


class Part(NamedTuple):
    """A named part of a category; a material is a key of ``MATERIALS``."""

    name: str
    material: str
    shapes: tuple[Shape, ...]


class Category(NamedTuple):
    """A kind of object."""

    name: str
    parts: tuple[Part, ...]
    turn: float = 0.2  # tangent of half the largest angle of rotation


def _part(name: str, material: str, *shapes: Shape) -> Part:
    return Part(name, material, shapes)


def _legs(material: str, top: float, *xs: float) -> Part:
    return _part('leg', material, *(bar((x, top), (x, 0.85), 0.09, loose=0.09)
                                    for x in xs))


def _wheels(*xs: float) -> Part:
    return _part('wheel', 'rubber', *(disc(x, 0.5, 0.25) for x in xs))


def _windows(y: float, rx: float, ry: float, *xs: float) -> Part:
    return _part('window', 'glass', *(box(x, y, rx, ry, 0.04) for x in xs))


CATEGORIES: tuple[Category, ...] = (
    Category(
        'aeroplane',
        (_part('wing', 'metal',
               polygon((0.3, 0), (-0.15, 0), (-0.5, -0.95), (-0.25, -0.95)),
               polygon((0.3, 0), (-0.15, 0), (-0.5, 0.95), (-0.25, 0.95))),
         _part('engine', 'rubber', ellipse(0.02, -0.48, 0.2, 0.1),
               ellipse(0.02, 0.48, 0.2, 0.1)),
         _part('body', 'paint', ellipse(0, 0, 0.95, 0.19)),
         _part('tail', 'cloth', polygon(
             (-0.62, 0), (-0.8, -0.42), (-0.98, -0.42), (-0.98, 0.42),
             (-0.8, 0.42)))),
        turn=1.),
    Category(
        'bicycle',
        (_part('wheel', 'rubber', ring(-0.55, 0.3, 0.36, 0.08),
               ring(0.55, 0.3, 0.36, 0.08)),
         _part('frame', 'metal', bar((-0.55, 0.3), (-0.2, -0.25), 0.055),
               bar((-0.2, -0.25), (0.4, -0.25), 0.055),
               bar((0.4, -0.25), (0.02, 0.32), 0.055),
               bar((0.02, 0.32), (-0.2, -0.25), 0.055),
               bar((0.55, 0.3), (0.36, -0.4), 0.055)),
         _part('saddle', 'cloth', box(-0.24, -0.36, 0.22, 0.1, 0.08)),
         _part('handlebar', 'wood', bar((0.2, -0.5), (0.52, -0.44), 0.09)))),
    Category(
        'bird',
        (_part('tail', 'cloth', polygon(
            (-0.4, 0.1), (-1, -0.12), (-0.95, 0.32))),
         _part('body', 'fur', ellipse(-0.05, 0.1, 0.55, 0.33)),
         _part('beak', 'wood', polygon(
             (0.72, -0.4), (1.02, -0.22), (0.72, -0.12))),
         _part('head', 'paint', disc(0.55, -0.26, 0.26)),
         _part('wing', 'metal', polygon(
             (0.2, 0.1), (-0.5, 0.18), (-0.45, -0.8), (-0.15, -0.6)))),
        turn=0.35),
    Category(
        'boat',
        (_part('mast', 'wood', bar((0, 0.4), (0, -0.92), 0.06)),
         _part('sail', 'cloth',
               polygon((0.1, -0.85), (0.1, 0.25), (0.8, 0.25)),
               polygon((-0.1, -0.65), (-0.1, 0.25), (-0.6, 0.25))),
         _part('hull', 'paint', polygon(
             (-0.95, 0.36), (0.95, 0.36), (0.65, 0.8), (-0.65, 0.8))))),
    Category(
        'bottle',
        (_part('neck', 'glass', box(0, -0.5, 0.14, 0.3)),
         _part('body', 'paint', box(0, 0.35, 0.36, 0.6, 0.16)),
         _part('cap', 'metal', box(0, -0.84, 0.18, 0.14, 0.05)),
         _part('label', 'cloth', box(0, 0.42, 0.36, 0.22))),
        turn=0.35),
    Category(
        'bus',
        (_part('body', 'paint', box(0, -0.06, 0.95, 0.54, 0.1)),
         _windows(-0.28, 0.15, 0.17, -0.7, -0.28, 0.14),
         _part('door', 'metal', box(0.62, -0.03, 0.19, 0.44, 0.03)),
         _wheels(-0.55, 0.45))),
    Category(
        'car',
        (_part('roof', 'metal', polygon(
            (-0.62, 0), (-0.36, -0.45), (0.3, -0.45), (0.65, 0))),
         _part('body', 'paint', box(0, 0.2, 0.98, 0.26, 0.14)),
         _windows(-0.2, 0.18, 0.16, -0.23, 0.2), _wheels(-0.55, 0.55))),
    Category(
        'cat',
        (_part('tail', 'wood', bar((-0.5, 0.2), (-0.85, -0.1), 0.08),
               bar((-0.85, -0.1), (-0.75, -0.6), 0.08)),
         _legs('cloth', 0.3, -0.45, -0.22, 0.15, 0.38),
         _part('body', 'fur', ellipse(-0.05, 0.2, 0.6, 0.27)),
         _part('ear', 'metal',
               polygon((0.3, -0.4), (0.28, -0.86), (0.56, -0.55)),
               polygon((0.62, -0.55), (0.9, -0.86), (0.88, -0.4))),
         _part('head', 'paint', disc(0.58, -0.24, 0.34)))),
    Category(
        'chair',
        (_part('back', 'cloth', box(-0.38, -0.4, 0.15, 0.55, 0.1)),
         _legs('wood', 0.2, -0.42, 0.45),
         _part('seat', 'paint', box(0.02, 0.16, 0.56, 0.14, 0.06)))),
    Category(
        'cow',
        (_part('tail', 'wood', bar((-0.7, -0.1), (-0.92, 0.45), 0.065)),
         _legs('cloth', 0.3, -0.58, -0.34, 0.2, 0.44),
         _part('body', 'fur', box(-0.08, 0.06, 0.68, 0.36, 0.2)),
         _part('horn', 'metal', bar((0.56, -0.4), (0.42, -0.78), 0.075),
               bar((0.82, -0.4), (0.96, -0.78), 0.075)),
         _part('head', 'paint', box(0.7, -0.22, 0.24, 0.3, 0.12)))),
    Category(
        'diningtable',
        (_legs('wood', -0.1, -0.75, 0.75),
         _part('cloth', 'cloth', polygon(
             (-0.6, -0.2), (0.6, -0.2), (0.42, 0.3), (-0.42, 0.3))),
         _part('top', 'paint', box(0, -0.3, 0.98, 0.15, 0.05)))),
    Category(
        'dog',
        (_part('tail', 'wood', bar((-0.5, 0), (-0.9, -0.4), 0.08)),
         _legs('cloth', 0.25, -0.5, -0.25, 0.15, 0.38),
         _part('body', 'fur', ellipse(-0.08, 0.12, 0.6, 0.29)),
         _part('head', 'paint', disc(0.5, -0.35, 0.28),
               ellipse(0.78, -0.24, 0.22, 0.14)),
         _part('ear', 'metal', ellipse(0.32, -0.3, 0.12, 0.3)))))

# A thin structure, drawn only on request. Its frame is high and narrow: the
# sign's top is at -1, the foot at 1.
POLE = Category(
    'pole',
    (_part('post', 'metal', bar((0, -0.85), (0, 1), 0.016, loose=0.01)),
     _part('sign', 'paint', box(0, -0.9, 0.1, 0.09, 0.03))),
    turn=0.03)

# Ids: 0 is the background, categories count from 1 and the pole comes last,
# parts count from 1 through all categories in their order.
PARTS: tuple[str, ...] = tuple(f'{category.name} {part.name}'
                               for category in (*CATEGORIES, POLE)
                               for part in category.parts)
CATEGORY_OF_PART: tuple[int, ...] = (0, ) + tuple(
    i for i, category in enumerate((*CATEGORIES, POLE), start=1)
    for _ in category.parts)


def first_part_id(category_id: int) -> int:
    """Id of a category's first part; the others follow."""
    return CATEGORY_OF_PART.index(category_id)


def voc_palette() -> np.ndarray:
    """Colours of label maps, (256, 3) uint8, as in Pascal VOC's own PNGs."""
    ids = np.arange(256)[:, None]
    channels = np.arange(3)
    palette = sum(((ids >> (3 * k + channels)) & 1) << (7 - k)
                  for k in range(3))
    return palette.astype(np.uint8)
