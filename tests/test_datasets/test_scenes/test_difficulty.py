"""Scenes can be solved, but not by colour alone.

Each failure is compared with a success of the same measurement, so that a
broken measurement cannot pass for a difficult dataset. The comments give the
measured values.
"""

import numpy as np
import pytest
from scipy.cluster.vq import kmeans2

from mmhierseg.datasets.scenes import PARTS, SceneOptions, make_scene
from mmhierseg.evaluation.functional import region_miou

NUM_CATEGORIES = 12


def make_scenes(count, side, **options):
    """So many of each category."""
    options = SceneOptions(size=(side, side), **options)
    return [make_scene(0, i, options) for i in range(count * NUM_CATEGORIES)]


def achievable_miou(scenes, colours):
    """Mean IoU over parts if each of 16 clusters takes its best part."""
    confusion = 0
    for scene in scenes:
        points = colours(scene).reshape(-1, 3).astype(float)
        # Jitter within a grey level: equal points would leave clusters empty.
        points += np.random.default_rng(0).random(points.shape)
        clusters = kmeans2(points, 16, minit='++', rng=0)[1]
        confusion = confusion + region_miou(
            clusters.reshape(scene.parts.shape), scene.parts,
            len(PARTS) + 1)
    hits = np.diag(confusion)
    union = confusion.sum(0) + confusion.sum(1) - hits
    occurs = confusion.sum(1) > 0
    return (hits[occurs] / union[occurs])[1:].mean()


def true_means(scene):
    """Each part in its mean colour: needs the ground truth."""
    means = np.zeros(scene.image.shape)
    for number in np.unique(scene.part_instances):
        inside = scene.part_instances == number
        means[inside] = scene.image[inside].mean(0)
    return means


@pytest.mark.slow
def test_clusters_of_colours_are_not_parts():
    scenes = make_scenes(2, 96)
    by_colour = achievable_miou(scenes, lambda scene: scene.image)
    cheating = achievable_miou(scenes, true_means)
    # 0.21, 0.98.
    assert by_colour < 0.3
    assert cheating > 0.9


def nearest_neighbour_accuracy(describe, scenes):
    """Classify the last third by the first two."""
    features = np.stack([describe(scene) for scene in scenes])
    labels = np.array([scene.label for scene in scenes])
    split = 2 * len(features) // 3
    distances = ((features[split:, None] - features[:split])**2).sum(-1)
    return (labels[:split][distances.argmin(1)] == labels[split:]).mean()


def colour_histogram(scene, inside=...):
    bins = (scene.image[inside] // 64).astype(int) @ (16, 4, 1)
    return np.sqrt(np.bincount(bins.ravel(), minlength=64) / bins.size)


def outline(scene):
    """The main object's mask, scaled to 12 x 12."""
    mask = scene.objects == 1
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    at = [
        np.linspace(line[0], line[-1], 12).astype(int)
        for line in (rows, columns)
    ]
    return mask[np.ix_(*at)].astype(float).ravel()


def test_shape_identifies_the_category_and_colour_does_not():
    scenes = make_scenes(40, 48)
    by_colour = nearest_neighbour_accuracy(colour_histogram, scenes)
    by_pixels = nearest_neighbour_accuracy(
        lambda scene: scene.image[::4, ::4].ravel() / 255, scenes)
    by_outline = nearest_neighbour_accuracy(outline, scenes)
    # 0.05, 0.07, 0.96; chance is 0.083, its standard error 0.022.
    assert by_colour < 0.16
    assert by_pixels < 0.2
    assert by_outline > 0.8


@pytest.mark.slow
def test_typical_colours_carry_information():
    by_colour = [
        nearest_neighbour_accuracy(
            lambda scene: colour_histogram(scene, scene.objects == 1),
            make_scenes(20, 48, typical_colors=typical_colors))
        for typical_colors in (0., 1.)
    ]
    # 0.06, 0.93.
    assert by_colour[0] < 0.2
    assert by_colour[1] > 0.7
