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

LEVELS = range(3)
NUM_IMAGES = 7


@pytest.fixture(scope='module')
def samples():
    return [make_sample(i) for i in range(NUM_IMAGES)]


@pytest.fixture(scope='module')
def results():
    return evaluate(range(NUM_IMAGES))


def one(metric, image=0, **fields):
    """Results of one image in which fields were replaced."""
    image, sample = make_sample(image) if isinstance(image, int) else image
    for name, data in fields.items():
        sample.set_field(PixelData(data=data), name, dtype=PixelData)
    return evaluate([0], metrics=[metric], samples=[(image, sample)])


class TestAccumulation:

    def test_counts_are_summed_before_the_division(self, results, samples):
        def total(function, maps, *args):
            return np.sum([
                function(*maps(image, sample), *args)
                for image, sample in samples
            ], axis=0)

        values = F.boundary_f_score(F.BoundaryCounts(*total(
            F.boundary_counts,
            lambda _, s: (s.pred_sem_seg.data[0], s.gt_sem_seg.data[0]), 5)))
        expected = {
            f'BoundaryFScore/{name}': value.mean()
            for name, value in zip(('mFscore', 'mPrecision', 'mRecall'),
                                   values)
        }
        for level in LEVELS:
            def maps(_, sample, level=level):
                return sample.pred_hierarchy.data[level], (
                    sample.gt_sem_seg.data[0])

            def colours(image, sample, level=level):
                return sample.pred_hierarchy.data[level], image

            coverings = [F.nf_covering(*maps(*pair)) for pair in samples]
            # An image without regions is left out of the mean over images.
            assert np.isnan(coverings).tolist() == [
                i == 4 for i in range(NUM_IMAGES)
            ]
            expected[f'NFCovering/level{level}'] = np.nanmean(coverings)
            expected[f'RegionMIoU/level{level}'] = F.mean_iou(
                total(F.region_miou, maps, 5))
            for name, function in dict(
                    ASA=F.achievable_segmentation_counts,
                    UE=F.undersegmentation_counts,
                    BR=F.boundary_recall_counts,
                    EV=F.explained_variation_sums).items():
                part, whole = total(function,
                                    colours if name == 'EV' else maps)
                name = f'SuperpixelQuality/{name}/level{level}'
                expected[name] = part / whole
        assert results.keys() == expected.keys()
        for name, value in results.items():
            # Plain numbers, as loggers and JSON need them.
            assert type(value) is float
            assert value == pytest.approx(100 * expected[name], rel=1e-12)

    def test_order_and_batches_do_not_matter(self, results):
        for seed in range(2):
            order = np.random.default_rng(seed).permutation(NUM_IMAGES)
            assert evaluate(order.tolist(), batch_size=3 - seed) == results

    def test_numbering_of_segments_does_not_matter(self, results, samples):
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
    def test_two_processes_are_as_one(self, results, tmp_path):
        """Also with an image that the sampler gives twice."""
        out = tmp_path / 'results'
        run_on_two_processes(save_evaluation, NUM_IMAGES, out)
        for rank in range(2):
            assert torch.load(f'{out}{rank}', weights_only=False) == results

    @pytest.mark.parametrize('config', METRICS)
    def test_results_are_small_and_one_per_image(self, config, samples):
        """MMEngine drops repeated images by their number."""
        metric = MMENGINE_METRICS.build(dict(config, prefix='mine'))
        metric.dataset_meta = dict(classes=CLASSES)
        for image, sample in samples[:2]:
            metric.process(dict(inputs=[image]), [sample.to_dict()])
        assert len(metric.results) == 2
        assert 10 < len(pickle.dumps(metric.results)) < 5000
        results = metric.evaluate(2)
        assert all(name.startswith('mine/') for name in results)


class TestBoundaryFScore:

    def test_tolerance_and_no_boundary(self):
        name = 'BoundaryFScore/mFscore'
        assert one(BoundaryFScore(tolerance=0.06))[name] > (
            one(BoundaryFScore())[name])
        with pytest.raises(ValueError, match='`tolerance` .* got -0.1'):
            BoundaryFScore(tolerance=-0.1)
        with pytest.raises(TypeError, match="`tolerance` .* got '1'"):
            BoundaryFScore(tolerance='1')
        flat = torch.zeros(1, 30, 41, dtype=torch.long)
        for value in one(BoundaryFScore(), pred_sem_seg=flat,
                         gt_sem_seg=flat).values():
            assert math.isnan(value)

    def test_binary_head(self):
        """MMSegmentation's heads of one channel predict 0. and 1."""
        pred = make_sample(0)[1].pred_sem_seg.data.clamp(max=1)
        expected = one(BoundaryFScore(), pred_sem_seg=pred)
        assert one(BoundaryFScore(), pred_sem_seg=pred.float()) == expected

    @pytest.mark.parametrize('fields, error, match', [
        (dict(pred_sem_seg=torch.rand(1, 30, 41)), TypeError,
         '`pred` .* got (torch.)?float32'),
        (dict(pred_sem_seg=torch.rand(5, 30, 41)), UserError,
         r'`pred_sem_seg` .*\(5, 30, 41\)'),
        (dict(pred_sem_seg=torch.zeros(1, 30, 40).long()), UserError,
         r'^BoundaryFScore, 0.png: .* same shape, got \(30, 40\) and'),
        (dict(gt_sem_seg=torch.full((1, 30, 41), 7)), UserError,
         r'0.png: .*\[0, 4\].*got 7'),
    ])
    def test_bad_maps(self, fields, error, match):
        with pytest.raises(error, match=match):
            one(BoundaryFScore(), **fields)

    def test_missing_fields(self):
        for field in ('pred_sem_seg', 'gt_sem_seg'):
            image, sample = make_sample(0)
            delattr(sample, field)
            with pytest.raises(UserError, match=f'has no `{field}`'):
                one(BoundaryFScore(), (image, sample))
        with pytest.raises(UserError, match='`classes`'):
            BoundaryFScore().process(None, [make_sample(0)[1].to_dict()])


@pytest.mark.parametrize('metric', [NFCovering, RegionMIoU, SuperpixelQuality])
class TestLevels:

    def test_selection(self, metric):
        everything = one(metric(levels=None))
        assert one(metric(levels=[2, 0])) == {
            name: value for name, value in everything.items()
            if not name.endswith('level1')
        }
        with pytest.raises(
                UserError,
                match='0.png: there is no level 3: .* 3 levels, 0 to 2'):
            one(metric(levels=[1, 3]))

    @pytest.mark.parametrize('levels, error', [
        ([], ValueError), ([1, 1], ValueError), ([-1], ValueError),
        (2, TypeError), ('12', TypeError), ([1.], TypeError)
    ])
    def test_bad_levels(self, metric, levels, error):
        with pytest.raises(error, match='`levels`'):
            metric(levels=levels)

    def test_fields(self, metric):
        """Of segments and of the truth; a single map is one level."""
        image, sample = make_sample(0)
        expected = one(metric(levels=[0]), (image, sample))
        labels, target = sample.pred_hierarchy.data, sample.gt_sem_seg.data
        del sample.gt_sem_seg
        other = metric(
            levels=None, segments_field='superpixels', gt_field='gt_parts',
            ignore_index=-1)
        assert one(other, (image, sample), superpixels=labels[:1],
                   gt_parts=target.where(target < 255, -1)) == expected

    def test_images_with_different_numbers_of_levels(self, metric):
        image, sample = make_sample(1)
        sample.pred_hierarchy = PixelData(data=sample.pred_hierarchy.data[:2])
        samples = [make_sample(0), (image, sample)]
        with pytest.raises(UserError, match='2 to 3 levels'):
            evaluate([0, 1], metrics=[metric(levels=None)], samples=samples)
        assert evaluate([0, 1], metrics=[metric(levels=[1])],
                        samples=samples)

    def test_bad_maps(self, metric):
        image, sample = make_sample(0)
        with pytest.raises(UserError, match='same shape'):
            one(metric(), pred_hierarchy=torch.zeros(3, 30, 40).long())
        with pytest.raises(TypeError, match='`segments` .* integers'):
            one(metric(), pred_hierarchy=torch.zeros(3, 30, 41))
        fields = sample.to_dict()
        fields['pred_hierarchy'] = dict(data=torch.zeros(1, 3, 30, 41))
        with pytest.raises(UserError, match=r'got \(1, 3, 30, 41\)'):
            metric().process(None, [fields])
        del sample.pred_hierarchy
        with pytest.raises(UserError, match='add_hierarchy'):
            one(metric(), (image, sample))


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


class TestSuperpixelQuality:

    def test_measures(self):
        """By default all, of the finest level."""
        everything = one(SuperpixelQuality())
        names = [f'SuperpixelQuality/{measure}/level0'
                 for measure in ('ASA', 'UE', 'BR', 'EV')]
        assert list(everything) == names
        assert one(SuperpixelQuality(measures=['UE', 'BR'])) == {
            name: everything[name] for name in names[1:3]
        }
        loose = one(SuperpixelQuality(measures=['BR'], boundary_tolerance=3))
        assert loose[names[2]] > everything[names[2]]
        for wrong in ('ASA', [], ['ASA', 'asa']):
            with pytest.raises(ValueError, match='`measures`'):
                SuperpixelQuality(measures=wrong)
        with pytest.raises(TypeError, match='`boundary_tolerance` .* got 2.5'):
            SuperpixelQuality(boundary_tolerance=2.5)

    def test_variation_of_an_image_of_another_size(self):
        """The image is as it entered the model, the maps as loaded."""
        image, sample = make_sample(0)
        metric = SuperpixelQuality(measures=['EV'])
        expected = one(metric, (image, sample))
        large = image.repeat_interleave(3, 1).repeat_interleave(2, 2)
        # The segment map may be the fourth channel.
        large = torch.cat([large.int(), torch.zeros(1, 90, 82).int()])
        assert one(metric, (large, sample)) == pytest.approx(
            expected, rel=1e-12)
        assert set(one(metric, (image * 0 + 9, sample)).values()) == {100.}

    @pytest.mark.parametrize('batch', [None, dict(inputs=[[None]])])
    def test_variation_without_image(self, batch):
        sample = make_sample(0)[1].to_dict()
        with pytest.raises(ValueError, match="leave 'EV' out"):
            SuperpixelQuality().process(batch, [sample])
        SuperpixelQuality(measures=['ASA']).process(batch, [sample])
