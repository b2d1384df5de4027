"""The mIoU of each image: function and metric."""

import math

import numpy as np
import pytest
import torch
from helpers.evaluation import evaluate, make_sample
from torchmetrics.functional.classification import multiclass_jaccard_index

from mmhierseg._base.errors import UserError
from mmhierseg.evaluation import PerImageMIoU
from mmhierseg.evaluation.functional import per_image_miou


def test_is_torchmetrics_macro_jaccard():
    """Which leaves out the classes that are in neither map."""
    rng = np.random.default_rng(0)
    for case in range(1000):
        number = int(rng.integers(2, 42))
        used = rng.permutation(number)[:rng.integers(1, number + 1)]
        target = rng.choice(used, rng.integers(1, 12, 2))
        pred = np.where(rng.random(target.shape) < rng.random(), target,
                        rng.integers(0, number, target.shape))
        ignored = rng.random(target.shape) < .1 * (case % 2)
        if ignored.all():
            continue
        expected = multiclass_jaccard_index(
            torch.from_numpy(pred[~ignored]),
            torch.from_numpy(target[~ignored]), number)
        found = per_image_miou(
            pred, torch.from_numpy(np.where(ignored, 255, target)), number)
        assert type(found) is float
        assert found == pytest.approx(float(expected), abs=1e-6)


def test_values_by_hand():
    pred = np.array([[0, 0, 1], [1, 2, 2]])
    assert per_image_miou(pred, pred, 3) == 1
    # Also of maps with strides, and of pixels that are ignored.
    assert per_image_miou(pred.T[::-1], np.full((3, 2), 4), 5) == 0
    target = np.array([[0, 255, 1], [255, 2, 0]])
    assert per_image_miou(
        np.where(target == 255, -1, pred), target, 5) == pytest.approx(
            (1 / 2 + 1 + 1 / 2) / 3)
    assert math.isnan(per_image_miou(pred, np.full_like(pred, 255), 3))
    assert math.isnan(per_image_miou(pred[:0], pred[:0], 3))
    for wrong, message in ((pred + 1, r'`pred` must be a class in \[0, 2\]'),
                           (pred[:1], 'same shape')):
        with pytest.raises(ValueError, match=message):
            per_image_miou(wrong, pred, 3)
    with pytest.raises(TypeError, match='`pred` must be .* of integers'):
        per_image_miou(pred.astype(float), pred, 3)


def test_metric_is_the_mean_over_images_that_did_not_fail():
    samples = [make_sample(i) for i in range(7)]
    values = [
        per_image_miou(sample.pred_sem_seg.data[0], sample.gt_sem_seg.data[0],
                       5) for _, sample in samples
    ]
    metric = [dict(type='mmhierseg.PerImageMIoU')]
    found = evaluate(range(7), metrics=metric, samples=samples)
    assert found == {
        'PerImageMIoU/mIoU': pytest.approx(100 * np.mean(values), rel=1e-12),
        'PerImageMIoU/images': 7, 'PerImageMIoU/failed': 0
    }
    assert evaluate([3, 6, 1, 0, 2, 5, 4], metrics=metric, samples=samples,
                    batch_size=3) == found
    # An image without ground truth counts in neither number.
    samples[2][1].gt_sem_seg.data[:] = 255
    for i in (1, 4):
        del samples[i][1].pred_sem_seg
        samples[i][1].set_metainfo(dict(failure='RuntimeError: nothing'))
    assert evaluate(range(7), metrics=[PerImageMIoU(prefix='mine')],
                    samples=samples) == {
        'mine/mIoU': pytest.approx(100 * np.mean(
            [values[i] for i in (0, 3, 5, 6)]), rel=1e-12),
        'mine/images': 4, 'mine/failed': 2
    }
    only = evaluate([0], metrics=metric, samples=[samples[1]])
    assert math.isnan(only['PerImageMIoU/mIoU'])
    samples[1][1].set_metainfo(dict(failure=''))
    with pytest.raises(UserError, match='has no `pred_sem_seg`'):
        evaluate([0], metrics=metric, samples=[samples[1]])
