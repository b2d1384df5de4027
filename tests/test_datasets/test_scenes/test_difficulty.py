"""Categories can be told by their shape, but not by their colours.

Each failure is compared with a success of the same measurement, so that a
broken measurement cannot pass for a difficult dataset. The comments give the
measured values.
"""

import numpy as np
import pytest

from mmhierseg.datasets.scenes import SceneOptions, make_scene


def accuracy(describe, scenes):
    """Classify the last third by its nearest neighbours in the first two."""
    features = np.stack([describe(scene) for scene in scenes])
    labels = np.array([scene.label for scene in scenes])
    split = 2 * len(features) // 3
    distances = ((features[split:, None] - features[:split])**2).sum(-1)
    return (labels[:split][distances.argmin(1)] == labels[split:]).mean()


def make_scenes(count, **options):
    """So many of each category."""
    options = SceneOptions(size=(48, 48), **options)
    return [make_scene(0, i, options) for i in range(count * 12)]


def colour_histogram(scene, inside=...):
    bins = (scene.image[inside] // 64).astype(int) @ (16, 4, 1)
    return np.sqrt(np.bincount(bins.ravel(), minlength=64) / bins.size)


def outline(scene):
    """The main object's mask, scaled to 12 x 12."""
    mask = scene.objects == 1
    lines = [np.flatnonzero(mask.any(axis)) for axis in (1, 0)]
    at = [np.linspace(line[0], line[-1], 12).astype(int) for line in lines]
    return mask[np.ix_(*at)].astype(float).ravel()


def test_shape_identifies_the_category_and_colour_does_not():
    scenes = make_scenes(40)
    # 0.05, 0.07, 0.96; chance is 0.083, its standard error 0.022.
    assert accuracy(colour_histogram, scenes) < 0.16
    assert accuracy(lambda scene: scene.image[::4, ::4].ravel() / 255,
                    scenes) < 0.2
    assert accuracy(outline, scenes) > 0.8


@pytest.mark.slow
def test_typical_colours_carry_information():
    random, typical = (
        accuracy(lambda scene: colour_histogram(scene, scene.objects == 1),
                 make_scenes(20, typical_colors=probability))
        for probability in (0., 1.))
    # 0.06, 0.93.
    assert random < 0.2
    assert typical > 0.7
