"""Registered metrics: from the counts of images to numbers of a dataset."""

import math
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

from mmhierseg._base.errors import UserError
from mmhierseg.evaluation import (
    BoundaryFScore,
    NFCovering,
    RegionMIoU,
    SuperpixelQuality,
)
from mmhierseg.evaluation import functional as F

NUM_IMAGES = 7
CELLS = torch.zeros(3, 30, 40).long()


@pytest.fixture(scope='module')
def samples():
    return [make_sample(i) for i in range(NUM_IMAGES)]


@pytest.fixture(scope='module')
def results():
    return evaluate(range(NUM_IMAGES))


def one(metric, image=0, **fields):
    """Results of one image in which fields were replaced; None removes."""
    image, sample = make_sample(image) if isinstance(image, int) else image
    for name, data in fields.items():
        if data is None:
            delattr(sample, name)
        else:
            sample.set_field(PixelData(data=data), name, dtype=PixelData)
    return evaluate([0], metrics=[metric], samples=[(image, sample)])


def test_counts_are_summed_before_the_division(results, samples):
    def total(function, maps, *args):
        return np.sum([function(*pair, *args) for pair in maps], axis=0)

    truths = [sample.gt_sem_seg.data[0] for _, sample in samples]
    preds = [sample.pred_sem_seg.data[0] for _, sample in samples]
    values = F.boundary_f_score(F.BoundaryCounts(
        *total(F.boundary_counts, list(zip(preds, truths)), 5)))
    expected = {
        f'BoundaryFScore/{name}': value.mean()
        for name, value in zip(('mFscore', 'mPrecision', 'mRecall'), values)
    }
    for level in range(3):
        levels = [sample.pred_hierarchy.data[level] for _, sample in samples]
        maps = list(zip(levels, truths))
        colours = list(zip(levels, (image for image, _ in samples)))
        coverings = [F.nf_covering(*pair) for pair in maps]
        # An image without regions is left out of the mean over images.
        assert np.isnan(coverings).nonzero()[0].tolist() == [4]
        expected[f'NFCovering/level{level}'] = np.nanmean(coverings)
        expected[f'RegionMIoU/level{level}'] = F.mean_iou(
            total(F.region_miou, maps, 5))
        for name, function in dict(
                ASA=F.achievable_segmentation_counts,
                UE=F.undersegmentation_counts,
                BR=F.boundary_recall_counts,
                EV=F.explained_variation_sums).items():
            part, whole = total(function, colours if name == 'EV' else maps)
            expected[f'SuperpixelQuality/{name}/level{level}'] = part / whole
    assert results.keys() == expected.keys()
    for name, value in results.items():
        # Plain numbers, as loggers and JSON need them.
        assert type(value) is float
        assert value == pytest.approx(100 * expected[name], rel=1e-12)


def test_order_batches_and_numbering_do_not_matter(results, samples):
    order = np.random.default_rng(0).permutation(NUM_IMAGES)
    assert evaluate(order.tolist(), batch_size=3) == results
    renamed = []
    for image, sample in samples:
        maps = sample.pred_hierarchy.data
        other = sample.new()
        other.pred_hierarchy = PixelData(
            data=torch.where(maps < 0, -5, 1000 - 7 * maps))
        renamed.append((image, other))
    assert evaluate(range(NUM_IMAGES), samples=renamed) == results


@pytest.mark.slow
@pytest.mark.distributed
def test_two_processes_are_as_one(results, tmp_path):
    """Also with an image that the sampler gives twice."""
    out = tmp_path / 'results'
    run_on_two_processes(save_evaluation, NUM_IMAGES, out)
    for rank in range(2):
        assert torch.load(f'{out}{rank}', weights_only=False) == results


@pytest.mark.parametrize('config', METRICS)
def test_results_are_small_and_one_per_image(config, samples):
    """MMEngine drops repeated images by their number."""
    metric = MMENGINE_METRICS.build(dict(config, prefix='mine'))
    metric.dataset_meta = dict(classes=CLASSES)
    for image, sample in samples[:2]:
        metric.process(dict(inputs=[image]), [sample.to_dict()])
    assert len(metric.results) == 2
    assert 10 < len(pickle.dumps(metric.results)) < 5000
    assert all(name.startswith('mine/') for name in metric.evaluate(2))


def test_boundary_f_score():
    flat = torch.zeros(1, 30, 41, dtype=torch.long)
    for value in one(BoundaryFScore(), pred_sem_seg=flat,
                     gt_sem_seg=flat).values():
        assert math.isnan(value)
    # MMSegmentation's heads of one channel predict 0. and 1.
    pred = make_sample(0)[1].pred_sem_seg.data.clamp(max=1)
    assert one(BoundaryFScore(), pred_sem_seg=pred.float()) == one(
        BoundaryFScore(), pred_sem_seg=pred)


@pytest.mark.parametrize('metric', [NFCovering, RegionMIoU, SuperpixelQuality])
def test_levels_and_fields(metric):
    everything = one(metric(levels=None))
    assert one(metric(levels=[2, 0])) == {
        name: value for name, value in everything.items()
        if not name.endswith('level1')
    }
    # A single map is one level.
    image, sample = make_sample(0)
    expected = one(metric(levels=[0]), (image, sample))
    labels, target = sample.pred_hierarchy.data, sample.gt_sem_seg.data
    other = metric(levels=None, segments_field='superpixels',
                   gt_field='gt_parts', ignore_index=-1)
    assert one(other, superpixels=labels[:1], gt_sem_seg=None,
               gt_parts=target.where(target < 255, -1)) == expected
    image, sample = make_sample(1)
    sample.pred_hierarchy = PixelData(data=sample.pred_hierarchy.data[:2])
    samples = [make_sample(0), (image, sample)]
    with pytest.raises(UserError, match='2 to 3 levels'):
        evaluate([0, 1], metrics=[metric(levels=None)], samples=samples)
    assert evaluate([0, 1], metrics=[metric(levels=[1])], samples=samples)


def test_background_of_covering():
    _, sample = make_sample(0)
    target, maps = sample.gt_sem_seg.data[0], sample.pred_hierarchy.data
    for background in (0, 4, None):
        regions = target + 1
        if background is not None:
            regions[target == background] = 0
        regions[target == 255] = 255
        results = one(NFCovering(background=background))
        assert results['NFCovering/level1'] == pytest.approx(
            100 * F.nf_covering(maps[1], regions), rel=1e-12)
    # In uint8 labels, 254 + 1 is not the ignored 255.
    renamed = target.where(target != 4, 254).to(torch.uint8)
    assert one(NFCovering(background=None), gt_sem_seg=renamed[None]) == one(
        NFCovering(background=None))
    # The fifth image has no region.
    assert all(math.isnan(value) for value in one(NFCovering(), 4).values())


def test_superpixel_quality():
    """By default, all measures of the finest level."""
    everything = one(SuperpixelQuality())
    names = [f'SuperpixelQuality/{measure}/level0'
             for measure in ('ASA', 'UE', 'BR', 'EV')]
    assert list(everything) == names
    assert one(SuperpixelQuality(measures=['UE', 'BR'])) == {
        name: everything[name] for name in names[1:3]
    }
    loose = one(SuperpixelQuality(boundary_tolerance=3))
    assert loose[names[2]] > everything[names[2]]
    # EV is of the image as it entered the model; a map may be with it.
    image, sample = make_sample(0)
    metric = SuperpixelQuality(measures=['EV'])
    large = image.repeat_interleave(3, 1).repeat_interleave(2, 2)
    large = torch.cat([large.int(), torch.zeros(1, 90, 82).int()])
    assert one(metric, (large, sample))[names[3]] == pytest.approx(
        everything[names[3]], rel=1e-12)
    assert one(metric, (image * 0 + 9, sample)) == {names[3]: 100.}
    # Offline, and in test-time augmentation, there is no image.
    for batch in (None, dict(inputs=[[None]])):
        with pytest.raises(ValueError, match="leave 'EV' out"):
            SuperpixelQuality().process(batch, [sample.to_dict()])
        SuperpixelQuality(measures=['ASA']).process(batch, [sample.to_dict()])


@pytest.mark.parametrize('metric, fields, error, match', [
    (BoundaryFScore(), dict(pred_sem_seg=torch.rand(5, 30, 41)), UserError,
     r'`pred_sem_seg` .*\(5, 30, 41\)'),
    (BoundaryFScore(), dict(pred_sem_seg=CELLS[:1]), UserError,
     r'^BoundaryFScore, 0.png: .* same shape, got \(30, 40\) and'),
    (BoundaryFScore(), dict(gt_sem_seg=torch.full((1, 30, 41), 7)), UserError,
     r'0.png: .*\[0, 4\].*got 7'),
    *((BoundaryFScore(), {name: None}, UserError, f'has no `{name}`')
      for name in ('pred_sem_seg', 'gt_sem_seg')),
    (RegionMIoU(), dict(pred_hierarchy=None), UserError, 'add_hierarchy'),
    (RegionMIoU(), dict(pred_hierarchy=CELLS), UserError, 'same shape'),
    (RegionMIoU(levels=[1, 3]), {}, UserError,
     '0.png: there is no level 3: .* 3 levels, 0 to 2'),
])
def test_bad_samples(metric, fields, error, match):
    with pytest.raises(error, match=match):
        one(metric, **fields)


@pytest.mark.parametrize('metric, options', [
    *((NFCovering, dict(levels=levels)) for levels in ([], [1, 1], [-1])),
    *((SuperpixelQuality, dict(measures=measures))
      for measures in ('ASA', [], ['ASA', 'asa'])),
    (BoundaryFScore, dict(tolerance=-0.1)),
    (SuperpixelQuality, dict(boundary_tolerance=-1)),
])
def test_bad_options(metric, options):
    with pytest.raises(ValueError):
        metric(**options)
