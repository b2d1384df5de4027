"""Paints a composition: textures, light, noise.

A texture is a pattern that mixes two colours. Legend: (u, v) are coordinates
in periods of the pattern, (h, w) float32; a pattern is (h, w) float32 in
[0, 1], the fraction of the second colour.
"""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from .composition import Composition, Silhouette, Size, draw_clutter, grid
from .draws import choose, integer, rotation, sample, uniform

Color = tuple[float, float, float]
Palette = Sequence[Color]
Array = np.ndarray

# The material of a part decides between a few patterns, never the colours.
# Every pattern belongs to several materials and may be a background, too.
MATERIALS: dict[str, tuple[str, ...]] = dict(
    fur=('blotches', 'waves', 'dots'),
    metal=('grain', 'stripes', 'waves'),
    glass=('checks', 'grain', 'bricks'),
    wood=('stripes', 'rings', 'blotches'),
    cloth=('checks', 'dots', 'stripes'),
    paint=('bricks', 'blotches', 'checks'),
    rubber=('rings', 'dots', 'grain'))

# Shorter side of the image is 1: periods of 4.5 to 12 pixels at 224, finer
# than usual superpixels.
_PERIODS = (0.02, 0.055)
# A shorter one would not be visible.
_LEAST_PERIOD_PIXELS = 3.
_PALETTE_SIZE = 5
# A palette's colours lie in this range and are mixed with their own grey.
_LEVELS = (20, 235)
_SATURATION = (0.4, 0.9)
# Least sum of differences over the channels between two colours: nearer
# pairs would hide their pattern in the noise.
_LEAST_CONTRAST = 110.
# How far a region's second colour goes towards another one of the palette:
# with 1, inner contrast would be as strong as that of any boundary.
_CONTRASTS = (0.35, 0.7)
_LATTICE = 32
# Largest change of brightness from the middle of the picture to one side.
_LIGHT = 0.35
# Range of the noise's amplitude; its standard deviation is 0.41 times that.
_NOISE = (8., 30.)


def render(rng: np.random.Generator,
           composition: Composition,
           typical_colors: float = 0.) -> np.ndarray:
    """Paint a scene, (H, W, 3) uint8; ``typical_colors`` is a probability."""
    size = composition.parts.shape
    palette = draw_palette(rng)
    used: set = set()
    image = _background(rng, size, palette, used)
    patterns = tuple(PATTERNS)
    for silhouette in draw_clutter(rng, size):
        _draw(rng, image, silhouette, patterns, palette, used)
    for thing in composition.placed:
        for silhouette in thing.silhouettes:
            patterns = MATERIALS[silhouette.material]
            colors = palette
            if typical_colors and uniform(rng, 0, 1) < typical_colors:
                colors = typical_palette(silhouette.part_id)
            _draw(rng, image, silhouette, patterns, colors, used)
    image *= _light(rng, size)
    # The sum of two uniform numbers approximates a normal one.
    noise = rng.random((2, *image.shape), dtype=np.float32)
    noise = noise[0] + noise[1] - 1
    image += noise * uniform(rng, *_NOISE)
    image = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(image.transpose(1, 2, 0))


def draw_palette(rng: np.random.Generator) -> Palette:
    """Draw the colours of a scene: RGB in 0..255, each far from the others."""
    palette: list = []
    while len(palette) < _PALETTE_SIZE:
        color = tuple(uniform(rng, *_LEVELS) for _ in range(3))
        grey, saturation = sum(color) / 3, uniform(rng, *_SATURATION)
        color = tuple(grey + saturation * (c - grey) for c in color)
        if all(
                sum(abs(p - q) for p, q in zip(color, other)) > _LEAST_CONTRAST
                for other in palette):
            palette.append(color)
    return tuple(palette)


@cache
def typical_palette(part_id: int) -> Palette:
    """Two colours that are typical of a kind of part, always the same."""
    # As for scenes: the same on every platform and with every NumPy.
    seed = np.random.SeedSequence(part_id)
    return draw_palette(np.random.Generator(np.random.PCG64(seed)))[:2]


def draw_texture(rng: np.random.Generator, patterns: Sequence[str],
                 palette: Palette, used: set, x: Array, y: Array,
                 unit: int) -> Array:
    """Paint a new texture at pixels (1, w), (h, 1): (3, h, w) float32, 0..255.

    It differs from those ``used``, to which it is added; ``unit`` is the
    shorter side of the picture in pixels.
    """
    # Twenty pairs of colours and three patterns or more: after a few draws a
    # free combination is found; should a crowded scene have none, one repeats.
    for _ in range(20):
        pattern = choose(rng, patterns)
        first, second = sample(rng, range(len(palette)), 2)
        key = (pattern, first, second)
        if key not in used:
            break
    used.add(key)
    contrast = uniform(rng, *_CONTRASTS)
    color = palette[first]
    other = [p + contrast * (q - p) for p, q in zip(color, palette[second])]
    period = max(uniform(rng, *_PERIODS) * unit, _LEAST_PERIOD_PIXELS)
    cos, sin = (c / period for c in rotation(rng, 1.))
    u_offset, v_offset = (uniform(rng, 0, _LATTICE) for _ in range(2))
    u = x * cos + y * sin + u_offset
    v = y * cos - x * sin + v_offset
    # Values that noise interpolates.
    lattice = rng.random((_LATTICE, _LATTICE), dtype=np.float32)
    mix = PATTERNS[pattern](u, v, lattice)
    low, high = (np.float32(c)[:, None, None] for c in (color, other))
    return low + mix * (high - low)


def _background(rng: np.random.Generator, size: Size, palette: Palette,
                used: set) -> np.ndarray:
    """Two or three textured bands, one above the other, (3, H, W) float32."""
    height, width = size
    x, y = grid(np.s_[0:height, 0:width])
    image = np.empty((3, *size), dtype=np.float32)
    horizon = np.full((1, width), -1, dtype=np.float32)
    bands = integer(rng, 2, 3)
    for band in range(bands):
        if band:
            level = uniform(rng, band - 0.3, band + 0.3) / bands
            horizon = _horizon(rng, x / width, level) * height
        # At its highest, a horizon is above 0.9 of the height: it has rows.
        first = max(0, int(horizon.min()))
        painted = draw_texture(rng, tuple(PATTERNS), palette, used, x,
                               y[first:], min(size))
        below = y[first:] > horizon
        np.copyto(image[:, first:], painted, where=below)
    return image


def _horizon(rng: np.random.Generator, x: np.ndarray,
             level: float) -> np.ndarray:
    """A slanted zigzag around a level, in heights of the picture."""
    slope = uniform(rng, -0.3, 0.3)
    height, count = uniform(rng, 0, 0.08), uniform(rng, 1, 4)
    zigzag = abs(2 * _fraction(count * x + uniform(rng, 0, 1)) - 1)
    return level + slope * (x - 0.5) + height * zigzag


def _draw(rng: np.random.Generator, image: np.ndarray, silhouette: Silhouette,
          patterns: tuple, palette: Palette, used: set) -> None:
    """Paint a part into the picture, in place."""
    painted = draw_texture(rng, patterns, palette, used,
                           *grid(silhouette.window), min(image.shape[1:]))
    at = image[(slice(None), *silhouette.window)]
    cover = np.clip(0.5 - silhouette.distance, 0, 1)
    at += cover * (painted - at)


def _light(rng: np.random.Generator, size: Size) -> np.ndarray:
    """A gradient of brightness, (H, W) float32."""
    height, width = size
    x, y = grid(np.s_[0:height, 0:width])
    across, down = (2 * uniform(rng, -_LIGHT, _LIGHT) for _ in range(2))
    return (1 + across * (x / width - 0.5)) + down * (y / height - 0.5)


def _fraction(u: Array) -> Array:
    return u - np.floor(u)


def _wave(u: Array) -> Array:
    """Triangular wave in [0, 1] of period 1, with flattened tips."""
    triangle = abs(2 * _fraction(u) - 1)
    return np.clip(2 * triangle - 0.5, 0, 1)


def _dots(u: Array, v: Array, lattice: Array) -> Array:
    du, dv = _fraction(u) - 0.5, _fraction(v) - 0.5
    return np.clip(1.8 - 16 * (du * du + dv * dv), 0, 1)


def _bricks(u: Array, v: Array, lattice: Array) -> Array:
    shifted = 0.6 * u + 0.5 * (np.floor(v) % 2)
    joint = (_fraction(shifted) < 0.14) | (_fraction(v) < 0.25)
    return joint.astype(np.float32)


def _rings(u: Array, v: Array, lattice: Array) -> Array:
    # Around the corners of a lattice four periods wide.
    du, dv = _fraction(u / 4) - 0.5, _fraction(v / 4) - 0.5
    return _wave(4 * np.sqrt(du * du + dv * dv))


def _noise(u: Array, v: Array, lattice: Array) -> Array:
    """Smooth random function in [0, 1], lattice values at the integers."""
    u0, v0 = np.floor(u), np.floor(v)
    fu, fv = u - u0, v - v0
    fu, fv = fu * fu * (3 - 2 * fu), fv * fv * (3 - 2 * fv)
    # & wraps negative numbers, too, for a power of two.
    i, j = (n.astype(np.int32) & (_LATTICE - 1) for n in (u0, v0))
    i1, j1 = (i + 1) & (_LATTICE - 1), (j + 1) & (_LATTICE - 1)
    values = lattice.ravel()
    j, j1 = j * _LATTICE, j1 * _LATTICE
    a, b = values[j + i], values[j + i1]
    c, d = values[j1 + i], values[j1 + i1]
    top, bottom = a + fu * (b - a), c + fu * (d - c)
    return top + fv * (bottom - top)


PATTERNS: dict[str, Callable[[Array, Array, Array], Array]] = dict(
    stripes=lambda u, v, lattice: _wave(u),
    checks=lambda u, v, lattice: abs((np.floor(u) + np.floor(v)) % 2),
    dots=_dots,
    bricks=_bricks,
    waves=lambda u, v, lattice: _wave(
        u + 0.7 * abs(2 * _fraction(0.4 * v) - 1)),
    rings=_rings,
    blotches=lambda u, v, lattice: np.clip(
        4 * _noise(0.8 * u, 0.8 * v, lattice) - 1.5, 0, 1),
    grain=lambda u, v, lattice: np.clip(
        2 * _noise(3 * u, 3 * v, lattice) - 0.5, 0, 1))
