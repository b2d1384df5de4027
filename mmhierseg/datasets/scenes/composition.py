"""Arranges the objects of a scene, and makes its label maps from them.

Legend: H x W pixels, the centre of pixel (i, j) lies at x = j + 0.5,
y = i + 0.5; scales are in shorter sides of the picture per unit of an
object's frame, which is two units wide.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .categories import (
    CATEGORIES,
    CATEGORY_OF_PART,
    POLE,
    Category,
    Part,
    first_part_id,
)
from .draws import choose, integer, rotation, uniform
from .shapes import Shape, box, distance, ellipse, extent

# The main object fills most of the picture, the others up to half of it.
_MAIN_SCALES = (0.3, 0.46)
_OTHER_SCALES = (0.1, 0.25)
# With each attempt the others get smaller and hide less.
_ATTEMPTS = 6
_SHRINK = 0.85
# Minimum pixels of a visible part: one in so many of the picture.
_PIXELS_PER_VISIBLE_ONE = 4000
# Half of a stroke's least width: it meets pixel centres wherever it lies.
_LEAST_HALF_WIDTH = 0.6
# The outline is drawn smoothly, over one pixel; labels change at its middle.
_MARGIN = 1

Size = tuple[int, int]
Window = tuple[slice, slice]


class Pose(NamedTuple):
    """An affine map from an object's frame to pixels."""

    # Row-major: x = m0 a + m1 b + centre, y = m2 a + m3 b + centre.
    matrix: tuple[float, float, float, float]
    center: tuple[float, float]  # the frame's origin, (x, y) in pixels

    @property
    def scale(self) -> float:
        """Pixels per unit of the frame, on average over directions."""
        a, b, c, d = self.matrix
        return math.sqrt(abs(a * d - b * c))


class Silhouette(NamedTuple):
    """A part in the picture, as far as it lies within it."""

    part_id: int
    material: str
    window: Window  # rows and columns of the picture that it may cover
    distance: np.ndarray  # (h, w) float32, signed, to its outline in pixels


class Placed(NamedTuple):
    """An object in the picture."""

    category_id: int
    # Its parts, those in front last; none for parts outside the picture.
    silhouettes: list[Silhouette]


class Composition(NamedTuple):
    """Objects and the maps that they make."""

    placed: list[Placed]  # those in front last
    owner: np.ndarray  # (H, W) int64, 1 + index into placed; 0 = background
    parts: np.ndarray  # (H, W) uint8, part id; 0 = background


def compose(rng: np.random.Generator, category_id: int, size: Size,
            others: Sequence[int], max_others: int,
            num_poles: int) -> Composition:
    """Arrange a main object, all parts of it visible, and others around it."""
    shrink = 1.
    for _ in range(_ATTEMPTS):
        main = _draw_object(rng, category_id, size, _MAIN_SCALES, slack=0.15)
        scales = tuple(s * shrink for s in _OTHER_SCALES)
        around = [
            _draw_object(rng, choose(rng, others), size, scales, slack=0.7)
            for _ in range(integer(rng, 0, max_others))
        ]
        around += [_draw_pole(rng, size) for _ in range(num_poles)]
        # Half of the others are in front of the main object.
        behind = [choose(rng, (True, False)) for _ in around]
        placed = [thing for thing, b in zip(around, behind) if b] + [main]
        placed += [thing for thing, b in zip(around, behind) if not b]
        composition = _composition(placed, size)
        if _shows(composition, main, category_id):
            return composition
        shrink *= _SHRINK
    # Rare: a crowd hides a part in every attempt. Draw the main object alone,
    # large, upright and without jitter.
    height, width = size
    scale = 0.45 * min(size)
    pose = Pose((scale, 0., 0., scale), (width / 2, height / 2))
    main = _place(category_id, CATEGORIES[category_id - 1].parts, pose, size)
    poles = [_draw_pole(rng, size) for _ in range(num_poles)]
    return _composition([*poles, main], size)


def label_maps(
        composition: Composition
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Semantic, object and part map, (H, W) uint8, 0 = background.

    Objects are numbered from the largest visible one, poles last.
    """
    placed, owner, parts = composition
    counts = np.bincount(owner.ravel(), minlength=len(placed) + 1)
    visible = [i for i in range(1, len(placed) + 1) if counts[i]]
    visible.sort(key=lambda i: (_is_pole(placed[i - 1]), -counts[i]))
    numbers = np.zeros(len(placed) + 1, dtype=np.uint8)
    numbers[visible] = np.arange(1, len(visible) + 1)
    semantic = np.array(CATEGORY_OF_PART, dtype=np.uint8)[parts]
    return semantic, numbers[owner], parts


def draw_clutter(rng: np.random.Generator, size: Size) -> list[Silhouette]:
    """Draw things of the background that are no objects."""
    things = []
    clutter = Category('', (), turn=1.)
    for _ in range(integer(rng, 1, 3)):
        pose = _draw_pose(rng, clutter, size, (0.06, 0.2), slack=0.8)
        make = choose(rng, (ellipse, box))
        shape = make(0., 0., 1., uniform(rng, 0.3, 1.))
        things += _silhouettes([(0, Part('', '', (shape, )))], pose, size)
    return things


def grid(window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Pixel centres of a window, x (1, w) and y (h, 1), float32."""
    rows, columns = window
    x = np.arange(columns.start, columns.stop, dtype=np.float32) + 0.5
    y = np.arange(rows.start, rows.stop, dtype=np.float32) + 0.5
    return x[None], y[:, None]


def _draw_object(rng: np.random.Generator, category_id: int, size: Size,
                 scales: tuple[float, float], slack: float) -> Placed:
    category = CATEGORIES[category_id - 1]
    pose = _draw_pose(rng, category, size, scales, slack)
    parts = [_jitter(rng, part) for part in category.parts]
    return _place(category_id, parts, pose, size)


def _draw_pole(rng: np.random.Generator, size: Size) -> Placed:
    """Draw a pole: upright, thin, most of the picture high."""
    height, width = size
    scale = uniform(rng, 0.3, 0.48) * height
    center = (uniform(rng, 0.05, 0.95) * width,
              uniform(rng, 0.45, 0.6) * height)
    cos, sin = rotation(rng, POLE.turn)
    # As thin in a wide picture as in a high one.
    thin = scale * min(1., width / height)
    pose = Pose((cos * thin, -sin * scale, sin * thin, cos * scale), center)
    parts = [_jitter(rng, part) for part in POLE.parts]
    return _place(len(CATEGORIES) + 1, parts, pose, size)


def _draw_pose(rng: np.random.Generator, category: Category, size: Size,
               scales: tuple[float, float], slack: float) -> Pose:
    """Draw a pose; ``slack`` of the frame may lie outside the picture."""
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


def _place(category_id: int, parts: Sequence[Part], pose: Pose,
           size: Size) -> Placed:
    ids = range(first_part_id(category_id), 1000)
    return Placed(category_id, _silhouettes(list(zip(ids, parts)), pose, size))


def _silhouettes(parts: list[tuple[int, Part]], pose: Pose,
                 size: Size) -> list[Silhouette]:
    found = []
    for part_id, part in parts:
        shapes = [_thicken(shape, pose.scale) for shape in part.shapes]
        windows = [_window(shape, pose, size) for shape in shapes]
        visible = [window for window in windows if window is not None]
        if not visible:
            continue
        union = tuple(
            slice(min(s.start for s in spans), max(s.stop for s in spans))
            for spans in zip(*visible))
        distances = _rasterize(shapes, windows, union, pose)
        found.append(Silhouette(part_id, part.material, union, distances))
    return found


def _thicken(shape: Shape, scale: float) -> Shape:
    """Keep strokes of less than a pixel from falling between centres."""
    if shape.kind == 'box':
        return shape
    least = _LEAST_HALF_WIDTH / scale
    return shape._replace(sizes=tuple(max(s, least) for s in shape.sizes))


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
        at = result[tuple(
            slice(s.start - outer.start, s.stop - outer.start)
            for s, outer in zip(inner, window))]
        np.minimum(at, distance(shape, local_x, local_y) * pose.scale, out=at)
    return result


def _composition(placed: list[Placed], size: Size) -> Composition:
    owner = np.zeros(size, dtype=np.int64)
    parts = np.zeros(size, dtype=np.uint8)
    for number, thing in enumerate(placed, start=1):
        for silhouette in thing.silhouettes:
            inside = silhouette.distance < 0
            owner[silhouette.window][inside] = number
            parts[silhouette.window][inside] = silhouette.part_id
    return Composition(placed, owner, parts)


def _shows(composition: Composition, main: Placed, category_id: int) -> bool:
    """Whether the main object shows all its parts and is the largest."""
    placed, owner, parts = composition
    number = 1 + next(i for i, p in enumerate(placed) if p is main)
    first = first_part_id(category_id)
    last = first + len(CATEGORIES[category_id - 1].parts)
    counts = np.bincount(parts[owner == number], minlength=last)[first:last]
    areas = np.bincount(owner.ravel(), minlength=len(placed) + 1)
    others = [
        areas[i] for i, thing in enumerate(placed, start=1)
        if i != number and not _is_pole(thing)
    ]
    least = max(1, parts.size // _PIXELS_PER_VISIBLE_ONE)
    return bool(counts.min() >= least
                and areas[number] > max(others, default=0))


def _is_pole(thing: Placed) -> bool:
    return thing.category_id > len(CATEGORIES)
