import math

import numpy as np
import pytest
import torch
from helpers.distributed import run_on_two_processes

from mmhierseg._base.errors import UserError
from projects.hcast.hcast import path_metrics
from projects.hcast.tests.evaluations import (
    NUM_IMAGES,
    TREE,
    evaluate,
    make_sample,
    save_evaluation,
)


def random_case(rng):
    """Predictions along, beside and off the paths of a random tree."""
    levels, number = rng.integers(1, 5), rng.integers(1, 9)
    columns = [np.arange(number)]
    for _ in range(levels - 1):
        # Each class of a level has one parent.
        parents = rng.integers(0, 3, columns[-1].max() + 1)
        columns.append(np.unique(parents, return_inverse=True)[1][columns[-1]])
    paths = np.stack(columns, axis=1)
    images = rng.integers(1, 12)
    target = rng.integers(0, number, images)
    predicted = paths[np.where(rng.random(images) < 0.5, target,
                               rng.integers(0, number, images))]
    random = rng.integers(0, paths.max(axis=0) + 1, predicted.shape)
    return np.where(
        rng.random(predicted.shape) < 0.2, random, predicted), target, paths


def brute_force(predicted, target, paths):
    """One image, and one level, at a time."""
    levels = range(paths.shape[1])
    known = set(map(tuple, paths.tolist()))
    accuracy, full, outside = [0] * len(levels), 0, 0
    for path, label in zip(predicted.tolist(), target.tolist()):
        truth = paths[label].tolist()
        for level in levels:
            accuracy[level] += path[level] == truth[level]
        full += path == truth
        outside += tuple(path) not in known
    number = len(target)
    return [x / number for x in accuracy], full / number, outside / number


def test_agrees_with_brute_force_on_1000_random_cases():
    rng, seen = np.random.default_rng(0), []
    for _ in range(1000):
        case = random_case(rng)
        accuracy, fpa, tice = path_metrics(*case)
        expected = brute_force(*case)
        np.testing.assert_allclose(accuracy, expected[0])
        np.testing.assert_allclose([fpa, tice], expected[1:], atol=1e-12)
        assert fpa <= accuracy.min() and fpa + tice <= 1 + 1e-12
        seen.append((fpa, tice))
    # All kinds of cases have been there.
    assert np.ptp(seen, axis=0).tolist() == [1, 1]


def test_no_images_and_bad_arguments():
    paths = TREE.paths
    accuracy, fpa, tice = path_metrics(
        np.zeros((0, 3), int), np.zeros(0, int), paths)
    assert np.isnan(accuracy).all() and len(accuracy) == 3
    assert math.isnan(fpa) and math.isnan(tice)
    with pytest.raises(ValueError, match=r'got \(2, 2\), \(2,\) and \(5, 3'):
        path_metrics(np.zeros((2, 2), int), np.zeros(2, int), paths)
    with pytest.raises(ValueError, match=r'`target` must be in 0..4, got 5'):
        path_metrics(np.zeros((1, 3), int), np.array([5]), paths)
    with pytest.raises(ValueError, match='`predicted` must be .* got -1'):
        path_metrics(np.array([[-1, 0, 0]]), np.array([0]), paths)


def test_metric_is_the_function_in_percent():
    samples = [make_sample(i) for i in range(NUM_IMAGES)]
    predicted = np.stack([x.pred_path.numpy() for x in samples])
    target = np.concatenate([x.gt_label.numpy() for x in samples])
    accuracy, fpa, tice = path_metrics(predicted, target, TREE.paths)
    results = evaluate(range(NUM_IMAGES))
    assert list(results) == [
        f'taxonomy/{name}'
        for name in ('species', 'family', 'kind', 'FPA', 'TICE')]
    np.testing.assert_allclose(
        list(results.values()), [100 * x for x in (*accuracy, fpa, tice)])
    assert all(type(value) is float for value in results.values())
    assert 0 < results['taxonomy/TICE'] < 100
    # Neither batches nor the order matter.
    assert evaluate(reversed(range(NUM_IMAGES)), batch_size=3) == results
    with pytest.raises(UserError, match="'tench', .* got .'pike'"):
        evaluate([0], classes=TREE.classes[0][1:])


@pytest.mark.slow
@pytest.mark.distributed
def test_two_processes_are_as_one(tmp_path):
    """Also with an image that the sampler gives twice."""
    run_on_two_processes(save_evaluation, NUM_IMAGES, tmp_path / 'results')
    expected = evaluate(range(NUM_IMAGES))
    for rank in range(2):
        assert torch.load(
            f'{tmp_path}/results{rank}', weights_only=False) == expected
