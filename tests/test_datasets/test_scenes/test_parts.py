"""The parts that scenes are made of: draws, shapes, textures, categories."""

import numpy as np
import pytest
from mmseg.datasets import PascalVOCDataset
from scipy.ndimage import distance_transform_edt

from mmhierseg.datasets.scenes import CATEGORIES, CATEGORY_OF_PART, PARTS
from mmhierseg.datasets.scenes.categories import (
    POLE,
    first_part_id,
    voc_palette,
)
from mmhierseg.datasets.scenes.composition import grid
from mmhierseg.datasets.scenes.draws import (
    choose,
    integer,
    rotation,
    sample,
    uniform,
)
from mmhierseg.datasets.scenes.rendering import (
    MATERIALS,
    PATTERNS,
    draw_palette,
    draw_texture,
    paint,
)
from mmhierseg.datasets.scenes.shapes import (
    bar,
    box,
    disc,
    distance,
    ellipse,
    extent,
    polygon,
    ring,
)

STEP = 0.01
EXACT = [
    disc(0.1, -0.2, 0.5),
    box(0.1, 0.2, 0.5, 0.3),
    box(0.1, 0.2, 0.5, 0.3, 0.2),
    ring(-0.1, 0.1, 0.5, 0.1),
    bar((-0.5, -0.3), (0.4, 0.2), 0.1),
    # A bar of no length is a disc.
    bar((0.2, 0.1), (0.2, 0.1), 0.3),
]
OTHERS = [
    ellipse(0.1, 0.2, 0.6, 0.3),
    polygon((-0.5, -0.5), (0.6, -0.2), (0.1, 0.6)),
    # The same in the opposite order.
    polygon((0.1, 0.6), (0.6, -0.2), (-0.5, -0.5)),
]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_draws(rng):
    values = np.array([uniform(rng, -2, 3) for _ in range(2000)])
    assert values.min() >= -2 and values.max() < 3
    # Standard error of the mean: 5 / sqrt(12 * 2000) = 0.03.
    assert abs(values.mean() - 0.5) < 0.13
    counts = np.bincount([integer(rng, 2, 5) for _ in range(4000)])
    assert counts[:2].sum() == 0 and len(counts) == 6
    # Standard deviation of each count: sqrt(4000 * 3/16) = 27.
    assert abs(counts[2:] - 1000).max() < 120
    assert {choose(rng, 'abc') for _ in range(50)} == set('abc')
    orders = {''.join(sample(rng, 'abc', 2)) for _ in range(200)}
    assert len(orders) == 6 and all(len(set(order)) == 2 for order in orders)
    assert sorted(sample(rng, 'abc', 9)) == ['a', 'b', 'c']


def test_rotation_stays_within_its_angle(rng):
    turns = np.array([rotation(rng, 0.2) for _ in range(500)])
    np.testing.assert_allclose((turns**2).sum(1), 1, atol=1e-12)
    angles = np.degrees(np.arctan2(turns[:, 1], turns[:, 0]))
    limit = np.degrees(2 * np.arctan(0.2))
    assert abs(angles).max() <= limit
    assert angles.min() < -0.9 * limit and angles.max() > 0.9 * limit


@pytest.mark.parametrize('shape', EXACT + OTHERS, ids=lambda shape: shape.kind)
def test_distances(shape):
    """Compared with the nearest point of the other side, in a rectangle."""
    x = np.arange(-1.2, 1.2, STEP, dtype=np.float32)
    y = np.arange(-1, 1, STEP, dtype=np.float32)
    values = distance(shape, x[None], y[:, None])
    assert values.dtype == np.float32
    inside = values < 0
    reference = STEP * np.where(inside, 0.5 - distance_transform_edt(inside),
                                distance_transform_edt(~inside) - 0.5)
    # An outline is known to a pixel's diagonal.
    if shape in EXACT:
        assert abs(values - reference).max() < 1.5 * STEP
    else:
        assert (abs(values) < abs(reference) + 1.5 * STEP).all()
        near = abs(reference) < 2 * STEP
        assert near.sum() > 100
        assert abs(values - reference)[near].max() < 2 * STEP
    rows, columns = np.nonzero(inside)
    found = (x[columns.min()], y[rows.min()], x[columns.max()],
             y[rows.max()])
    np.testing.assert_allclose(extent(shape), found, atol=2 * STEP)


@pytest.mark.parametrize('pattern', PATTERNS)
def test_pattern_mixes_both_colours(pattern, rng):
    texture = draw_texture(rng, [pattern], draw_palette(rng), set())
    # Negative coordinates, too: the frame's origin may lie in the picture.
    painted = paint(texture, *grid((slice(-60, 70), slice(-90, 110))), 224.)
    assert painted.shape == (3, 130, 200) and painted.dtype == np.float32
    first, second = np.float32(texture.colors)
    channel = abs(second - first).argmax()
    mix = ((painted[channel] - first[channel]) /
           (second[channel] - first[channel]))
    assert mix.min() > -1e-3 and mix.max() < 1 + 1e-3
    # Neither colour covers everything.
    assert (mix < 0.2).mean() > 0.05 and (mix > 0.8).mean() > 0.05
    # All channels have the same mixture.
    np.testing.assert_allclose(
        painted,
        first[:, None, None] + mix * (second - first)[:, None, None],
        atol=0.1)
    # A window is a crop of the whole.
    window = paint(texture, *grid((slice(7, 30), slice(11, 50))), 224.)
    np.testing.assert_array_equal(window, painted[:, 67:90, 101:140])
    assert sum(pattern in chosen for chosen in MATERIALS.values()) >= 2


def test_colours_and_textures_are_distinct(rng):
    palette = draw_palette(rng)
    colors = np.array(palette)
    assert colors.shape == (5, 3)
    assert colors.min() >= 0 and colors.max() <= 255
    distances = abs(colors[:, None] - colors).sum(-1)
    assert distances[~np.eye(5, dtype=bool)].min() > 100
    used = set()
    for _ in range(40):
        texture = draw_texture(rng, tuple(PATTERNS), palette, used)
        assert texture.colors[0] in palette
    assert len(used) == 40
    # A crowded scene repeats some.
    used = set()
    for _ in range(60):
        draw_texture(rng, ['dots'], palette, used)
    assert len(used) == 20


def test_ids():
    names = tuple(category.name for category in CATEGORIES)
    meta = PascalVOCDataset.METAINFO
    assert names == meta['classes'][1:13]
    assert voc_palette()[:21].tolist() == meta['palette']
    # MMPretrain numbers classes in the order of their folders' names.
    assert names == tuple(sorted(names))
    assert len(CATEGORY_OF_PART) == len(PARTS) + 1 == len(set(PARTS)) + 1
    for category_id, category in enumerate((*CATEGORIES, POLE), start=1):
        first = first_part_id(category_id)
        for i, part in enumerate(category.parts):
            assert PARTS[first + i - 1] == f'{category.name} {part.name}'
            assert CATEGORY_OF_PART[first + i] == category_id


def test_categories_are_made_of_parts():
    shared = [part.name for c in CATEGORIES for part in c.parts]
    for name in ('body', 'leg', 'tail', 'head', 'wheel'):
        assert shared.count(name) >= 3
    for category in (*CATEGORIES, POLE):
        names = [part.name for part in category.parts]
        assert 2 <= len(set(names)) == len(names) <= 5
        for part in category.parts:
            assert part.material in MATERIALS
            for shape in part.shapes:
                # In the frame, but for a little.
                assert max(map(abs, extent(shape))) < 1.05
                if shape.kind == 'polygon':
                    assert is_convex(np.array(shape.points))


def is_convex(points):
    edges = np.roll(points, -1, axis=0) - points
    following = np.roll(edges, -1, axis=0)
    turns = edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0]
    return (turns > 0).all() or (turns < 0).all()
