"""Textures: a pattern that mixes two colours.

Legend: (u, v) are coordinates in periods of the pattern, (h, w) float32; a
pattern is (h, w) float32 in [0, 1], the share of the second colour.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from .draws import choose, rotation, sample, uniform

__all__ = [
    'MATERIALS', 'PATTERNS', 'Palette', 'Texture', 'draw_palette',
    'draw_texture', 'paint', 'typical_palette'
]

Color = tuple[float, float, float]
Palette = Sequence[Color]

# What a part is made of decides between a few patterns, never the colours.
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
# A pattern is not to be seen below it.
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


class Texture(NamedTuple):
    """A pattern with everything that it needs to be painted."""

    pattern: str
    """Key of ``PATTERNS``."""

    colors: tuple[Color, Color]
    """The two colours, RGB in 0..255."""

    period: float
    """In units of the image's shorter side."""

    turn: tuple[float, float]
    """Cosine and sine of the pattern's angle."""

    offset: tuple[float, float]
    """Moves the pattern, in periods."""

    lattice: np.ndarray
    """(32, 32) float32 in [0, 1), values that noise interpolates."""


def draw_palette(rng: np.random.Generator) -> Palette:
    """Draw the few colours that everything in a scene shares.

    Args:
        rng (np.random.Generator): Where the draws come from.

    Returns:
        Palette: Colours, RGB in 0..255, each far from the others.
    """
    palette: list = []
    while len(palette) < _PALETTE_SIZE:
        color = tuple(uniform(rng, *_LEVELS) for _ in range(3))
        grey, saturation = sum(color) / 3, uniform(rng, *_SATURATION)
        color = tuple(grey + saturation * (c - grey) for c in color)
        if all(_contrast(color, other) > _LEAST_CONTRAST for other in palette):
            palette.append(color)
    return tuple(palette)


@cache
def typical_palette(part_id: int) -> Palette:
    """Colours that are typical of a kind of part, always the same.

    Args:
        part_id (int): Id of the kind of part, from 1.

    Returns:
        Palette: Two colours, RGB in 0..255, far from each other.

    Example:
        >>> typical_palette(3) == typical_palette(3)
        True
        >>> typical_palette(3) == typical_palette(4)
        False
    """
    # As in scenes: the same on every platform and with every NumPy.
    seed = np.random.SeedSequence(part_id)
    return draw_palette(np.random.Generator(np.random.PCG64(seed)))[:2]


def draw_texture(rng: np.random.Generator, patterns: Sequence[str],
                 palette: Palette, used: set) -> Texture:
    """Draw a texture that no other region of the scene has.

    Args:
        rng (np.random.Generator): Where the draws come from.
        patterns (Sequence[str]): Patterns to choose from.
        palette (Palette): The scene's colours.
        used (set): Combinations of pattern and colours that are taken;
            the new one is added.

    Returns:
        Texture: The texture.
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
    colors = (palette[first],
              tuple(p + contrast * (q - p)
                    for p, q in zip(palette[first], palette[second])))
    return Texture(
        pattern=pattern,
        colors=colors,
        period=uniform(rng, *_PERIODS),
        turn=rotation(rng, 1.),
        offset=(uniform(rng, 0, _LATTICE), uniform(rng, 0, _LATTICE)),
        lattice=rng.random((_LATTICE, _LATTICE), dtype=np.float32))


def paint(texture: Texture, x: np.ndarray, y: np.ndarray,
          unit: float) -> np.ndarray:
    """Paint a texture.

    Args:
        texture (Texture): The texture.
        x (np.ndarray): (1, w) float32, columns of the pixels.
        y (np.ndarray): (h, 1) float32, rows of the pixels.
        unit (float): Shorter side of the image in pixels.

    Returns:
        np.ndarray: (3, h, w) float32, colours in 0..255.
    """
    period = max(texture.period * unit, _LEAST_PERIOD_PIXELS)
    cos, sin = (c / period for c in texture.turn)
    u = x * cos + y * sin + texture.offset[0]
    v = y * cos - x * sin + texture.offset[1]
    mix = PATTERNS[texture.pattern](u, v, texture.lattice)
    low, high = (np.float32(c)[:, None, None] for c in texture.colors)
    return low + mix * (high - low)


def _contrast(a: Color, b: Color) -> float:
    return sum(abs(p - q) for p, q in zip(a, b))


def _fraction(u: np.ndarray) -> np.ndarray:
    return u - np.floor(u)


def _wave(u: np.ndarray) -> np.ndarray:
    """Triangular wave in [0, 1] of period 1, with flattened tips."""
    triangle = abs(2 * _fraction(u) - 1)
    return np.clip(2 * triangle - 0.5, 0, 1)


def _stripes(u: np.ndarray, v: np.ndarray, lattice: np.ndarray) -> np.ndarray:
    return _wave(u)


def _checks(u: np.ndarray, v: np.ndarray, lattice: np.ndarray) -> np.ndarray:
    return abs((np.floor(u) + np.floor(v)) % 2)


def _dots(u: np.ndarray, v: np.ndarray, lattice: np.ndarray) -> np.ndarray:
    du, dv = _fraction(u) - 0.5, _fraction(v) - 0.5
    return np.clip(1.8 - 16 * (du * du + dv * dv), 0, 1)


def _bricks(u: np.ndarray, v: np.ndarray, lattice: np.ndarray) -> np.ndarray:
    shifted = 0.6 * u + 0.5 * (np.floor(v) % 2)
    joint = (_fraction(shifted) < 0.14) | (_fraction(v) < 0.25)
    return joint.astype(np.float32)


def _waves(u: np.ndarray, v: np.ndarray, lattice: np.ndarray) -> np.ndarray:
    return _wave(u + 0.7 * abs(2 * _fraction(0.4 * v) - 1))


def _rings(u: np.ndarray, v: np.ndarray, lattice: np.ndarray) -> np.ndarray:
    # Around the corners of a lattice four periods wide.
    du, dv = _fraction(u / 4) - 0.5, _fraction(v / 4) - 0.5
    return _wave(4 * np.sqrt(du * du + dv * dv))


def _blotches(u: np.ndarray, v: np.ndarray,
              lattice: np.ndarray) -> np.ndarray:
    return np.clip(4 * _noise(0.8 * u, 0.8 * v, lattice) - 1.5, 0, 1)


def _grain(u: np.ndarray, v: np.ndarray, lattice: np.ndarray) -> np.ndarray:
    return np.clip(2 * _noise(3 * u, 3 * v, lattice) - 0.5, 0, 1)


def _noise(u: np.ndarray, v: np.ndarray, lattice: np.ndarray) -> np.ndarray:
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


PATTERNS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray],
                             np.ndarray]] = dict(
                                 stripes=_stripes,
                                 checks=_checks,
                                 dots=_dots,
                                 bricks=_bricks,
                                 waves=_waves,
                                 rings=_rings,
                                 blotches=_blotches,
                                 grain=_grain)
