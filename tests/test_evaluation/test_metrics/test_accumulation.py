"""What holds for all metrics: how images become numbers of a data set."""

import pickle

import numpy as np
import pytest
import torch
from helpers.distributed import run_on_two_processes
from helpers.evaluation import (
    CLASSES,
    METRICS,
    evaluate,
    make_sample,
    save_evaluation,
)
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmhierseg.evaluation import functional as F

LEVELS = range(3)
NUM_IMAGES = 7


@pytest.fixture(scope='module')
def samples():
    return [make_sample(i) for i in range(NUM_IMAGES)]


@pytest.fixture(scope='module')
def results():
    return evaluate(range(NUM_IMAGES))


def maps_of(sample):
    """Prediction, truth and levels."""
    return (sample.pred_sem_seg.data[0], sample.gt_sem_seg.data[0],
            sample.pred_hierarchy.data)


def test_names(results):
    means = ('mFscore', 'mPrecision', 'mRecall')
    assert list(results) == [
        *(f'BoundaryFScore/{name}' for name in means),
        *(f'NFCovering/level{i}' for i in LEVELS),
        *(f'RegionMIoU/level{i}' for i in LEVELS),
        *(f'SuperpixelQuality/{name}/level{i}' for i in LEVELS
          for name in ('ASA', 'UE', 'BR', 'EV'))
    ]
    # Plain numbers, as loggers and JSON take them.
    assert all(type(value) is float for value in results.values())
    assert all(0 < value < 100 for value in results.values())


def test_boundary_counts_are_summed_first(results, samples):
    counts = sum(
        np.array(F.boundary_counts(*maps_of(sample)[:2], len(CLASSES)))
        for _, sample in samples)
    values = F.boundary_f_score(F.BoundaryCounts(*counts))
    for name, value in zip(('mFscore', 'mPrecision', 'mRecall'), values):
        assert results[f'BoundaryFScore/{name}'] == pytest.approx(
            100 * value.mean(), rel=1e-12)


@pytest.mark.parametrize('level', LEVELS)
def test_confusions_are_summed_first(results, samples, level):
    confusion = sum(
        F.region_miou(maps_of(sample)[2][level], maps_of(sample)[1], 5)
        for _, sample in samples)
    assert results[f'RegionMIoU/level{level}'] == pytest.approx(
        100 * F.mean_iou(confusion), rel=1e-12)


@pytest.mark.parametrize('level', LEVELS)
def test_covering_is_a_mean_over_images_with_regions(results, samples, level):
    values = np.array([
        F.nf_covering(maps_of(sample)[2][level], maps_of(sample)[1])
        for _, sample in samples
    ])
    assert np.isnan(values).tolist() == [i == 4 for i in range(NUM_IMAGES)]
    assert results[f'NFCovering/level{level}'] == pytest.approx(
        100 * np.nanmean(values), rel=1e-12)


@pytest.mark.parametrize('level', LEVELS)
def test_superpixel_parts_are_summed_first(results, samples, level):
    functions = dict(
        ASA=F.achievable_segmentation_counts,
        UE=F.undersegmentation_counts,
        BR=F.boundary_recall_counts,
        EV=F.explained_variation_sums)
    for name, function in functions.items():
        parts = []
        for image, sample in samples:
            _, target, maps = maps_of(sample)
            parts.append(
                function(maps[level], image if name == 'EV' else target))
        part, whole = np.sum(parts, axis=0)
        assert results[f'SuperpixelQuality/{name}/level{level}'] == (
            pytest.approx(100 * part / whole, rel=1e-12))


def test_coarser_levels_are_not_better(results):
    for name in ('RegionMIoU', 'SuperpixelQuality/ASA',
                 'SuperpixelQuality/EV'):
        values = [results[f'{name}/level{i}'] for i in LEVELS]
        assert values == sorted(values, reverse=True)


def test_order_of_images_does_not_matter(results):
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(NUM_IMAGES)
        assert evaluate(order.tolist()) == results


def test_numbers_of_segments_do_not_matter(results, samples):
    renamed = []
    for image, sample in samples:
        maps = sample.pred_hierarchy.data
        other = sample.new()
        other.pred_hierarchy = PixelData(
            data=torch.where(maps < 0, -5, 1000 - 7 * maps))
        renamed.append((image, other))
    assert evaluate(range(NUM_IMAGES), samples=renamed) == results


@pytest.mark.distributed
def test_two_processes_are_as_one(results, tmp_path):
    """Also with an image that the sampler gives twice."""
    out = tmp_path / 'results'
    run_on_two_processes(save_evaluation, NUM_IMAGES, out)
    for rank in range(2):
        assert torch.load(f'{out}{rank}', weights_only=False) == results


def test_results_are_small(samples):
    """Counts are collected from all processes, not maps."""
    for config in METRICS:
        metric = MMENGINE_METRICS.build(config)
        metric.dataset_meta = dict(classes=CLASSES)
        image, sample = samples[0]
        metric.process(dict(inputs=[image]), [sample.to_dict()])
        assert 10 < len(pickle.dumps(metric.results)) < 3000


def test_perfect_prediction(samples):
    perfect = []
    for image, sample in samples:
        target = sample.gt_sem_seg.data
        other = SegDataSample(gt_sem_seg=PixelData(data=target))
        other.pred_sem_seg = PixelData(data=target.where(target < 255, 3))
        other.pred_hierarchy = PixelData(data=target)
        perfect.append((image, other))
    results = evaluate(range(NUM_IMAGES), samples=perfect)
    variation = results.pop('SuperpixelQuality/EV/level0')
    assert 0 < variation < 100
    assert results.pop('SuperpixelQuality/UE/level0') == 0
    assert set(results.values()) == {100.}
    assert 'NFCovering/level1' not in results
