"""Shapes that parts of objects consist of, as signed distances.

A distance is negative inside a shape and positive outside, in the units of
the coordinates. It is exact but for ellipses, where it is proportional to the
distance near the outline, and outside of polygons near their corners, where
it is too small.

Legend: coordinates (x, y) lie in an object's own frame, about [-1, 1]^2, y
downwards; arrays are (h, w) float32.
"""

import math
from typing import NamedTuple

import numpy as np

Point = tuple[float, float]


class Shape(NamedTuple):
    """A shape with its position and size."""

    kind: str  # key of _DISTANCES
    points: tuple[Point, ...]  # centre, two ends (bar) or corners (polygon)
    sizes: tuple[float, ...] = ()  # see the function that makes the shape
    loose: float = 0.04  # how far its points may be moved in a scene


def ellipse(x: float, y: float, rx: float, ry: float) -> Shape:
    """Ellipse with radii ``rx`` and ``ry`` around (x, y)."""
    return Shape('ellipse', ((x, y), ), (rx, ry))


def disc(x: float, y: float, radius: float) -> Shape:
    """Circle with its inside."""
    return ellipse(x, y, radius, radius)


def box(x: float, y: float, rx: float, ry: float, corner: float = 0.) -> Shape:
    """Rectangle of 2 rx x 2 ry around (x, y), its corners rounded."""
    return Shape('box', ((x, y), ), (rx, ry, min(corner, rx, ry)))


def ring(x: float, y: float, radius: float, half_width: float) -> Shape:
    """Band around a circle."""
    return Shape('ring', ((x, y), ), (radius, half_width))


def bar(start: Point, end: Point, half_width: float,
        loose: float = 0.04) -> Shape:
    """Straight stroke with round ends."""
    return Shape('bar', (start, end), (half_width, ), loose)


def polygon(*points: Point) -> Shape:
    """Convex polygon; corners in order, clockwise or not."""
    return Shape('polygon', points)


def extent(shape: Shape) -> tuple[float, float, float, float]:
    """Box around a shape, (left, top, right, bottom)."""
    xs, ys = zip(*shape.points)
    rx, ry = 0., 0.
    if shape.kind in ('ellipse', 'box'):
        rx, ry = shape.sizes[:2]
    elif shape.kind != 'polygon':
        rx = ry = sum(shape.sizes)
    return min(xs) - rx, min(ys) - ry, max(xs) + rx, max(ys) + ry


def distance(shape: Shape, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Signed distance of points to a shape, (h, w) float32."""
    return _DISTANCES[shape.kind](shape, x, y)


def _ellipse(shape: Shape, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    (cx, cy), (rx, ry) = shape.points[0], shape.sizes
    return (_norm((x - cx) / rx, (y - cy) / ry) - 1) * min(rx, ry)


def _box(shape: Shape, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    (cx, cy), (rx, ry, corner) = shape.points[0], shape.sizes
    dx = abs(x - cx) - (rx - corner)
    dy = abs(y - cy) - (ry - corner)
    outside = _norm(np.maximum(dx, 0), np.maximum(dy, 0))
    return outside + np.minimum(np.maximum(dx, dy), 0) - corner


def _ring(shape: Shape, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    (cx, cy), (radius, half_width) = shape.points[0], shape.sizes
    return abs(_norm(x - cx, y - cy) - radius) - half_width


def _bar(shape: Shape, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    (x0, y0), (x1, y1) = shape.points
    dx, dy = x1 - x0, y1 - y0
    # The floor keeps a bar of no length from a division by zero.
    length = max(dx * dx + dy * dy, 1e-12)
    along = np.clip(((x - x0) * dx + (y - y0) * dy) / length, 0, 1)
    return _norm(x - x0 - along * dx, y - y0 - along * dy) - shape.sizes[0]


def _polygon(shape: Shape, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    points = shape.points
    edges = list(zip(points, points[1:] + points[:1]))
    # Corners may be in either order: the sign of the area says which.
    area = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in edges)
    turn = 1. if area > 0 else -1.
    result = np.full(np.broadcast(x, y).shape, -np.inf, dtype=np.float32)
    for (x0, y0), (x1, y1) in edges:
        dx, dy = x1 - x0, y1 - y0
        scale = turn / max(math.sqrt(dx * dx + dy * dy), 1e-6)
        outwards = (x - x0) * (dy * scale) - (y - y0) * (dx * scale)
        np.maximum(result, outwards, out=result)
    return result


def _norm(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    # np.hypot takes three times as long, and its last bit is the library's.
    return np.sqrt(x * x + y * y)


_DISTANCES = dict(
    ellipse=_ellipse, box=_box, ring=_ring, bar=_bar, polygon=_polygon)
