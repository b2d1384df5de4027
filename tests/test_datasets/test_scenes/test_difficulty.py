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


@pytest.fixture(scope='module')
def scenes():
    """Two of each category."""
    options = SceneOptions(size=(96, 96))
    return [make_scene(0, i, options) for i in range(2 * NUM_CATEGORIES)]


def achievable_miou(scenes, segment):
    """Mean IoU over parts if each segment takes its most frequent part."""
    confusion = sum(
        region_miou(
            segment(scene).reshape(scene.parts.shape), scene.parts,
            len(PARTS) + 1) for scene in scenes)
    hits = np.diag(confusion)
    union = confusion.sum(0) + confusion.sum(1) - hits
    occurs = confusion.sum(1) > 0
    return (hits[occurs] / union[occurs])[1:].mean()


def cluster(colours):
    """16 clusters of pixels: scenes have about 12 regions."""
    points = colours.reshape(-1, 3).astype(float)
    # Jitter within a grey level: equal points would leave clusters empty.
    points += np.random.default_rng(0).random(points.shape)
    return kmeans2(points, 16, minit='++', rng=0)[1]


def cluster_pixels(scene):
    return cluster(scene.image)


def cluster_smoothed(scene):
    """Textures are averaged in squares of 5 x 5."""
    padded = np.pad(scene.image.astype(float), ((2, 2), (2, 2), (0, 0)),
                    'edge')
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), (0, 1))
    return cluster(windows.mean((-1, -2)))


def cluster_true_means(scene):
    """Each part in its mean colour: needs the ground truth."""
    means = np.zeros(scene.image.shape)
    for number in np.unique(scene.part_instances):
        inside = scene.part_instances == number
        means[inside] = scene.image[inside].mean(0)
    return cluster(means)


@pytest.mark.slow
def test_clusters_of_colours_are_not_parts(scenes):
    by_colour = achievable_miou(scenes, cluster_pixels)
    smoothed = achievable_miou(scenes, cluster_smoothed)
    cheating = achievable_miou(scenes, cluster_true_means)
    # 0.21, 0.31, 0.98.
    assert by_colour < 0.3
    assert smoothed < 0.45
    assert cheating > 0.9


def nearest_neighbour_accuracy(features, labels):
    """Classify the last third by the first two."""
    features = np.stack(list(features))
    split = 2 * len(features) // 3
    bank, queries = features[:split], features[split:]
    distances = ((queries[:, None] - bank[None])**2).sum(-1)
    return (labels[:split][distances.argmin(1)] == labels[split:]).mean()


def colour_histogram(scene):
    bins = (scene.image // 64).astype(int) @ (16, 4, 1)
    return np.bincount(bins.ravel(), minlength=64) / bins.size


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
    options = SceneOptions(size=(48, 48))
    many = [make_scene(0, i, options) for i in range(40 * NUM_CATEGORIES)]
    labels = np.array([scene.label for scene in many])
    by_colour = nearest_neighbour_accuracy(map(colour_histogram, many), labels)
    by_pixels = nearest_neighbour_accuracy(
        [scene.image[::4, ::4].ravel() / 255 for scene in many], labels)
    by_outline = nearest_neighbour_accuracy(map(outline, many), labels)
    # 0.05, 0.07, 0.96; chance is 0.083, its standard error 0.022.
    assert by_colour < 0.16
    assert by_pixels < 0.2
    assert by_outline > 0.8


@pytest.mark.slow
def test_typical_colours_carry_information():
    by_colour = []
    for typical_colors in (0., 1.):
        options = SceneOptions(size=(48, 48), typical_colors=typical_colors)
        many = [make_scene(0, i, options) for i in range(20 * NUM_CATEGORIES)]
        by_colour.append(
            nearest_neighbour_accuracy(
                map(colours_of_main_object, many),
                np.array([scene.label for scene in many])))
    # 0.06, 0.93.
    assert by_colour[0] < 0.2
    assert by_colour[1] > 0.7


def colours_of_main_object(scene):
    bins = (scene.image[scene.objects == 1] // 64).astype(int) @ (16, 4, 1)
    return np.sqrt(np.bincount(bins, minlength=64) / bins.size)
