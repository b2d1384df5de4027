"""Paints a composition: textures, light, noise."""

import numpy as np

from .composition import (
    Composition,
    Silhouette,
    Size,
    draw_clutter,
    grid,
)
from .draws import integer, uniform
from .textures import (
    MATERIALS,
    PATTERNS,
    Palette,
    draw_palette,
    draw_texture,
    paint,
    typical_palette,
)

__all__ = ['render']

# Largest change of brightness from the middle of the picture to one side.
_LIGHT = 0.35
# Range of the noise's amplitude; its standard deviation is 0.41 times that.
_NOISE = (8., 30.)


def render(rng: np.random.Generator,
           composition: Composition,
           typical_colors: float = 0.) -> np.ndarray:
    """Paint a scene, (H, W, 3) uint8 RGB.

    With the probability ``typical_colors`` a part has its kind's typical
    colours.
    """
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


def _background(rng: np.random.Generator, size: Size, palette: Palette,
                used: set) -> np.ndarray:
    """Two or three textured bands, one above the other, (3, H, W) float32."""
    height, width = size
    window = (slice(0, height), slice(0, width))
    x, y = grid(window)
    image = np.empty((3, *size), dtype=np.float32)
    horizon = np.full((1, width), -1, dtype=np.float32)
    bands = integer(rng, 2, 3)
    for band in range(bands):
        if band:
            level = uniform(rng, band - 0.3, band + 0.3) / bands
            horizon = _horizon(rng, x / width, level) * height
        # At its highest, a horizon is above 0.9 of the height: it has rows.
        first = max(0, int(horizon.min()))
        texture = draw_texture(rng, tuple(PATTERNS), palette, used)
        painted = paint(texture, x, y[first:], min(size))
        below = y[first:] > horizon
        np.copyto(image[:, first:], painted, where=below)
    return image


def _horizon(rng: np.random.Generator, x: np.ndarray,
             level: float) -> np.ndarray:
    """A slanted zigzag around a level, in heights of the picture."""
    slope = uniform(rng, -0.3, 0.3)
    height, count = uniform(rng, 0, 0.08), uniform(rng, 1, 4)
    phase = count * x + uniform(rng, 0, 1)
    zigzag = abs(2 * (phase - np.floor(phase)) - 1)
    return level + slope * (x - 0.5) + height * zigzag


def _draw(rng: np.random.Generator, image: np.ndarray, silhouette: Silhouette,
          patterns: tuple, palette: Palette, used: set) -> None:
    """Paint a part into the picture, in place."""
    texture = draw_texture(rng, patterns, palette, used)
    x, y = grid(silhouette.window)
    painted = paint(texture, x, y, min(image.shape[1:]))
    at = image[(slice(None), *silhouette.window)]
    cover = np.clip(0.5 - silhouette.distance, 0, 1)
    at += cover * (painted - at)


def _light(rng: np.random.Generator, size: Size) -> np.ndarray:
    """A gradient of brightness, (H, W) float32."""
    height, width = size
    x, y = grid((slice(0, height), slice(0, width)))
    across, down = (2 * uniform(rng, -_LIGHT, _LIGHT) for _ in range(2))
    return (1 + across * (x / width - 0.5)) + down * (y / height - 0.5)
