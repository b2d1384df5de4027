import numpy as np
import pytest

from mmhierseg.datasets.scenes.objects import grid
from mmhierseg.datasets.scenes.textures import (
    MATERIALS,
    PATTERNS,
    draw_palette,
    draw_texture,
    paint,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_every_pattern_belongs_to_several_materials():
    for pattern in PATTERNS:
        assert sum(pattern in chosen for chosen in MATERIALS.values()) >= 2
    for chosen in MATERIALS.values():
        assert len(set(chosen)) == 3 and set(chosen) <= set(PATTERNS)


@pytest.mark.parametrize('pattern', PATTERNS)
def test_pattern_mixes_both_colours(pattern, rng):
    texture = draw_texture(rng, [pattern], draw_palette(rng), set())
    # Negative coordinates, too: the frame's origin may lie in the picture.
    x, y = grid((slice(-60, 70), slice(-90, 110)))
    painted = paint(texture, x, y, 224.)
    assert painted.shape == (3, 130, 200) and painted.dtype == np.float32
    first, second = np.float32(texture.colors)
    channel = abs(second - first).argmax()
    mix = ((painted[channel] - first[channel]) /
           (second[channel] - first[channel]))
    assert mix.min() > -1e-3 and mix.max() < 1 + 1e-3
    # Both are there, and neither is all there is.
    assert (mix < 0.2).mean() > 0.05 and (mix > 0.8).mean() > 0.05
    # All channels tell the same mixture.
    np.testing.assert_allclose(
        painted,
        first[:, None, None] + mix * (second - first)[:, None, None],
        atol=0.1)


@pytest.mark.parametrize('pattern', PATTERNS)
def test_window_is_cut_out_of_the_whole(pattern, rng):
    texture = draw_texture(rng, [pattern], draw_palette(rng), set())
    whole = paint(texture, *grid((slice(0, 40), slice(0, 60))), 40.)
    part = paint(texture, *grid((slice(7, 30), slice(11, 50))), 40.)
    np.testing.assert_array_equal(part, whole[:, 7:30, 11:50])


def test_colours_of_a_palette_can_be_told_apart(rng):
    for _ in range(20):
        palette = np.array(draw_palette(rng))
        assert palette.shape == (5, 3)
        assert palette.min() >= 0 and palette.max() <= 255
        distances = abs(palette[:, None] - palette).sum(-1)
        assert distances[~np.eye(5, dtype=bool)].min() > 100


def test_texture_is_not_used_twice(rng):
    palette, used = draw_palette(rng), set()
    textures = [
        draw_texture(rng, tuple(PATTERNS), palette, used) for _ in range(40)
    ]
    keys = {(t.pattern, t.colors[0]) for t in textures}
    assert len(used) == 40
    # What all of them share are the first colours: those of the palette.
    assert {key[1] for key in keys} == set(palette)


def test_crowded_scene_repeats_a_texture(rng):
    palette, used = draw_palette(rng), set()
    textures = [draw_texture(rng, ['dots'], palette, used) for _ in range(60)]
    assert len(textures) == 60 and len(used) == 20
