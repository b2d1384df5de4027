"""Puts an object into the picture: pose, jitter, outlines in pixels.

Legend: H x W pixels, the centre of pixel (i, j) lies at x = j + 0.5,
y = i + 0.5; `unit` is the shorter side in pixels.
"""

import math
from typing import NamedTuple

import numpy as np

from .categories import CATEGORIES, POLE, Category, Part, first_part_id
from .draws import choose, integer, rotation, uniform
from .shapes import Shape, box, distance, ellipse, extent

__all__ = [
    'Placed', 'Pose', 'Silhouette', 'calm_pose', 'draw_clutter', 'draw_pole',
    'draw_pose', 'grid', 'place'
]

# Half of a stroke's least width: it meets pixel centres wherever it lies.
_LEAST_HALF_WIDTH = 0.6
# The outline is drawn smoothly, over one pixel; labels change at its middle.
_MARGIN = 1

Size = tuple[int, int]
Window = tuple[slice, slice]


class Pose(NamedTuple):
    """An affine map from an object's frame to pixels."""

    matrix: tuple[float, float, float, float]
    """Row-major: x = m0 a + m1 b + centre, y = m2 a + m3 b + centre."""

    center: tuple[float, float]
    """Where the frame's origin is, (x, y) in pixels."""

    @property
    def scale(self) -> float:
        """Pixels per unit of the frame, on average over directions."""
        a, b, c, d = self.matrix
        return math.sqrt(abs(a * d - b * c))


class Silhouette(NamedTuple):
    """A part in the picture, as far as it lies within it."""

    part_id: int
    material: str
    window: Window
    """Rows and columns of the picture that it may cover."""
    distance: np.ndarray
    """(h, w) float32, signed distance to its outline in pixels."""


class Placed(NamedTuple):
    """An object in the picture."""

    category_id: int
    silhouettes: list[Silhouette]
    """Its parts, those in front last."""


def draw_pose(rng: np.random.Generator, category: Category, size: Size,
              scales: tuple[float, float], slack: float) -> Pose:
    """Draw a pose.

    Args:
        rng (np.random.Generator): Where the draws come from.
        category (Category): What is posed.
        size (tuple[int, int]): (H, W).
        scales (tuple[float, float]): Least and largest scale, in shorter
            sides of the picture per unit of the object's frame.
        slack (float): How far the frame may stick out of the picture, in
            units of the frame.

    Returns:
        Pose: The pose.
    """
    height, width = size
    scale = uniform(rng, *scales) * min(size)
    # Wider or higher by up to a seventh, keeping the area.
    stretch = uniform(rng, 0.87, 1.15)
    flip = choose(rng, (-1., 1.))
    cos, sin = rotation(rng, category.turn)
    across, down = scale * stretch * flip, scale / stretch
    reach = scale * (1 - slack)
    center = tuple(
        uniform(rng, min(reach, n / 2), max(n - reach, n / 2))
        for n in (width, height))
    return Pose((cos * across, -sin * down, sin * across, cos * down), center)


def calm_pose(size: Size) -> Pose:
    """The pose in which every part of an object shows."""
    height, width = size
    scale = 0.45 * min(size)
    return Pose((scale, 0., 0., scale), (width / 2, height / 2))


def draw_pole(rng: np.random.Generator, size: Size) -> Placed:
    """Draw a pole: upright, thin, most of the picture high."""
    height, width = size
    scale = uniform(rng, 0.3, 0.48) * height
    center = (uniform(rng, 0.05, 0.95) * width,
              uniform(rng, 0.45, 0.6) * height)
    cos, sin = rotation(rng, POLE.turn)
    # As thin in a wide picture as in a high one.
    thin = scale * min(1., width / height)
    pose = Pose((cos * thin, -sin * scale, sin * thin, cos * scale), center)
    return place(rng, POLE, len(CATEGORIES) + 1, pose, size)


def draw_clutter(rng: np.random.Generator, size: Size) -> list[Silhouette]:
    """Draw things of the background that are no objects."""
    things = []
    for _ in range(integer(rng, 1, 3)):
        pose = draw_pose(rng, _CLUTTER, size, (0.06, 0.2), slack=0.8)
        make = choose(rng, (ellipse, box))
        shape = make(0., 0., 1., uniform(rng, 0.3, 1.))
        things += _silhouettes([(0, Part('', '', (shape, )))], pose, size)
    return things


def place(rng: np.random.Generator | None, category: Category,
          category_id: int, pose: Pose, size: Size) -> Placed:
    """Make an object's outlines.

    Args:
        rng (np.random.Generator, optional): Where jitter comes from; None
            for none.
        category (Category): What to place.
        category_id (int): Its id.
        pose (Pose): Where and how.
        size (tuple[int, int]): (H, W).

    Returns:
        Placed: The object; parts outside the picture are missing.
    """
    parts = category.parts
    if rng is not None:
        parts = [_jitter(rng, part) for part in parts]
    ids = range(first_part_id(category_id), 1000)
    return Placed(category_id, _silhouettes(list(zip(ids, parts)), pose, size))


def grid(window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Pixel centres of a window, x (1, w) and y (h, 1), float32."""
    rows, columns = window
    x = np.arange(columns.start, columns.stop, dtype=np.float32) + 0.5
    y = np.arange(rows.start, rows.stop, dtype=np.float32) + 0.5
    return x[None], y[:, None]


def _jitter(rng: np.random.Generator, part: Part) -> Part:
    """Move a part's points and change its size a little."""
    grow = uniform(rng, 0.85, 1.15)

    def moved(shape: Shape) -> Shape:
        points = tuple(
            tuple(c + uniform(rng, -shape.loose, shape.loose) for c in point)
            for point in shape.points)
        sizes = tuple(grow * length for length in shape.sizes)
        return shape._replace(points=points, sizes=sizes)

    return part._replace(shapes=tuple(moved(shape) for shape in part.shapes))


def _silhouettes(parts: list[tuple[int, Part]], pose: Pose,
                 size: Size) -> list[Silhouette]:
    found = []
    for part_id, part in parts:
        shapes = [_thicken(shape, pose.scale) for shape in part.shapes]
        windows = [_window(shape, pose, size) for shape in shapes]
        window = _union(windows)
        if window is None:
            continue
        distances = _rasterize(shapes, windows, window, pose)
        found.append(Silhouette(part_id, part.material, window, distances))
    return found


def _thicken(shape: Shape, scale: float) -> Shape:
    """Keep strokes of less than a pixel from falling between centres."""
    least = _LEAST_HALF_WIDTH / scale
    return shape._replace(sizes=tuple(max(s, least) for s in shape.sizes)
                          ) if shape.kind != 'box' else shape


def _window(shape: Shape, pose: Pose, size: Size) -> Window | None:
    """Rows and columns that a shape may cover; None if there are none."""
    left, top, right, bottom = extent(shape)
    a, b, c, d = pose.matrix
    corners = [(a * x + b * y + pose.center[0], c * x + d * y + pose.center[1])
               for x in (left, right) for y in (top, bottom)]
    spans = []
    for values, length in zip(zip(*corners), reversed(size)):
        first = max(0, int(min(values)) - _MARGIN)
        last = min(length, int(max(values)) + 1 + _MARGIN)
        if first >= last:
            return None
        spans.append(slice(first, last))
    return spans[1], spans[0]


def _union(windows: list[Window | None]) -> Window | None:
    found = [window for window in windows if window is not None]
    if not found:
        return None
    return tuple(
        slice(min(s.start for s in spans), max(s.stop for s in spans))
        for spans in zip(*found))


def _rasterize(shapes: list[Shape], windows: list[Window | None],
               window: Window, pose: Pose) -> np.ndarray:
    """Signed distance in pixels to the union of shapes."""
    rows, columns = window
    result = np.full((rows.stop - rows.start, columns.stop - columns.start),
                     np.inf,
                     dtype=np.float32)
    a, b, c, d = pose.matrix
    det = a * d - b * c
    for shape, inner in zip(shapes, windows):
        if inner is None:
            continue
        x, y = grid(inner)
        x, y = x - pose.center[0], y - pose.center[1]
        local_x = x * (d / det) - y * (b / det)
        local_y = y * (a / det) - x * (c / det)
        at = result[inner[0].start - rows.start:inner[0].stop - rows.start,
                    inner[1].start - columns.start:inner[1].stop -
                    columns.start]
        np.minimum(at, distance(shape, local_x, local_y) * pose.scale, out=at)
    return result


_CLUTTER = Category('', (), turn=1.)
