"""Options of each metric, and what it says to input that does not fit."""

import math

import pytest
import torch
from helpers.evaluation import CLASSES, METRICS, evaluate, make_sample
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.structures import PixelData

from mmhierseg.evaluation import (
    BoundaryFScore,
    NFCovering,
    PerLevelMetric,
    RegionMIoU,
    SuperpixelQuality,
)
from mmhierseg.evaluation import functional as F
from mmhierseg.registry import METRICS as REGISTRY

PER_LEVEL = (NFCovering, RegionMIoU, SuperpixelQuality)


def one(metric, image=0, **fields):
    """Results of one image in which fields were replaced."""
    image, sample = make_sample(image) if isinstance(image, int) else image
    for name, data in fields.items():
        sample.set_field(PixelData(data=data), name, dtype=PixelData)
    return evaluate([0], metrics=[metric], samples=[(image, sample)])


def test_are_registered():
    for name in ('BoundaryFScore', 'NFCovering', 'RegionMIoU',
                 'SuperpixelQuality'):
        assert REGISTRY.get(name) is MMENGINE_METRICS.get(f'mmhierseg.{name}')


@pytest.mark.parametrize('config', METRICS)
def test_prefix(config):
    results = one(dict(config, prefix='mine'))
    assert results and all(name.startswith('mine/') for name in results)


class TestBoundaryFScore:

    def test_tolerance(self):
        scores = [
            one(BoundaryFScore(tolerance=tolerance))['BoundaryFScore/mFscore']
            for tolerance in (0, 0.03, 0.06, 1)
        ]
        assert scores == sorted(scores) and len(set(scores)) == 4

    def test_wrong_tolerance(self):
        with pytest.raises(ValueError, match='`tolerance` .* got -0.1'):
            BoundaryFScore(tolerance=-0.1)
        with pytest.raises(TypeError, match="`tolerance` .* got '1'"):
            BoundaryFScore(tolerance='1')

    def test_no_boundary(self):
        flat = torch.zeros(1, 30, 41, dtype=torch.long)
        for value in one(BoundaryFScore(), pred_sem_seg=flat,
                         gt_sem_seg=flat).values():
            assert math.isnan(value)

    def test_binary_head(self):
        """MMSegmentation's heads of one channel predict 0. and 1."""
        pred = make_sample(0)[1].pred_sem_seg.data.clamp(max=1)
        wanted = one(BoundaryFScore(), pred_sem_seg=pred)
        assert one(BoundaryFScore(), pred_sem_seg=pred.float()) == wanted

    def test_logits_instead_of_classes(self):
        with pytest.raises(TypeError, match='`pred` .* got (torch.)?float32'):
            one(BoundaryFScore(), pred_sem_seg=torch.rand(1, 30, 41))
        with pytest.raises(ValueError,
                           match=r'`pred_sem_seg` .*\(5, 30, 41\)'):
            one(BoundaryFScore(), pred_sem_seg=torch.rand(5, 30, 41))

    def test_another_size_than_the_truth(self):
        with pytest.raises(
                ValueError,
                match=r'^BoundaryFScore, 0.png: .* same shape, got '
                r'\(30, 40\) and \(30, 41\)'):
            one(BoundaryFScore(),
                pred_sem_seg=torch.zeros(1, 30, 40, dtype=torch.long))

    def test_label_beyond_the_classes(self):
        target = torch.full((1, 30, 41), 7)
        with pytest.raises(ValueError, match=r'0.png: .*\[0, 4\].*got 7'):
            one(BoundaryFScore(), gt_sem_seg=target)

    def test_pixels_without_a_class(self):
        """Retrieval predicts 255 where there is no segment."""
        pred = make_sample(0)[1].pred_sem_seg.data.clone()
        pred[:, 5:20, 7:30] = 255
        missing = one(BoundaryFScore(), pred_sem_seg=pred)
        full = one(BoundaryFScore())
        for name in ('mFscore', 'mRecall'):
            name = f'BoundaryFScore/{name}'
            assert 0 < missing[name] < full[name]

    def test_missing_fields(self):
        for field in ('pred_sem_seg', 'gt_sem_seg'):
            image, sample = make_sample(0)
            delattr(sample, field)
            with pytest.raises(ValueError, match=f'has no `{field}`'):
                one(BoundaryFScore(), (image, sample))

    def test_data_set_without_classes(self):
        metric = BoundaryFScore()
        for meta in (None, {}):
            metric.dataset_meta = meta
            with pytest.raises(ValueError, match='`classes`'):
                metric.process(None, [make_sample(0)[1].to_dict()])


@pytest.mark.parametrize('metric', PER_LEVEL)
class TestLevels:

    def test_some(self, metric):
        everything = one(metric(levels=None))
        chosen = one(metric(levels=[2, 0]))
        assert chosen == {
            name: value for name, value in everything.items()
            if not name.endswith('level1')
        }
        assert 0 < len(chosen) < len(everything)

    def test_one_that_does_not_exist(self, metric):
        with pytest.raises(
                ValueError,
                match='0.png: there is no level 3: .* 3 levels, 0 to 2'):
            one(metric(levels=[1, 3]))

    @pytest.mark.parametrize('levels', [[], [1, 1], [-1]])
    def test_wrong(self, metric, levels):
        with pytest.raises(ValueError, match='`levels`'):
            metric(levels=levels)

    @pytest.mark.parametrize('levels', [2, '12', [1.], [True]])
    def test_of_another_type(self, metric, levels):
        with pytest.raises(TypeError, match='`levels`'):
            metric(levels=levels)

    def test_no_hierarchy(self, metric):
        image, sample = make_sample(0)
        del sample.pred_hierarchy
        with pytest.raises(ValueError, match='add_hierarchy'):
            one(metric(), (image, sample))

    def test_another_field(self, metric):
        """A single map is a hierarchy of one level."""
        labels = make_sample(0)[1].pred_hierarchy.data[:1]
        results = one(metric(segments_field='superpixels', levels=None),
                      superpixels=labels)
        assert results == one(metric(levels=[0]))

    def test_maps_of_other_axes(self, metric):
        """(H, W) is one level; what has four axes, nobody knows."""
        _, sample = make_sample(0)
        fields = sample.to_dict()
        levels = fields['pred_hierarchy']['data']
        one_level = metric(levels=None, prefix='one')
        fields['pred_hierarchy'] = dict(data=levels[0])
        image = make_sample(0)[0]
        one_level.dataset_meta = dict(classes=CLASSES)
        one_level.process(dict(inputs=[image]), [fields])
        assert set(one_level.results[0]) == {0}
        fields['pred_hierarchy'] = dict(data=levels[None])
        with pytest.raises(ValueError, match=r'got \(1, 3, 30, 41\)'):
            one_level.process(dict(inputs=[image]), [fields])

    def test_images_of_different_levels(self, metric):
        image, sample = make_sample(1)
        sample.pred_hierarchy = PixelData(data=sample.pred_hierarchy.data[:2])
        samples = [make_sample(0), (image, sample)]
        with pytest.raises(ValueError, match='2 to 3 levels'):
            evaluate([0, 1], metrics=[metric(levels=None)], samples=samples)
        assert evaluate([0, 1], metrics=[metric(levels=[1])],
                        samples=samples)

    def test_maps_of_another_size(self, metric):
        maps = torch.zeros(3, 30, 40, dtype=torch.long)
        with pytest.raises(ValueError, match='same shape'):
            one(metric(), pred_hierarchy=maps)

    def test_maps_of_floats(self, metric):
        with pytest.raises(TypeError, match='`segments` .* integers'):
            one(metric(), pred_hierarchy=torch.zeros(3, 30, 41))

    def test_another_truth(self, metric):
        """Regions of a field of one's own, with another ignored id."""
        image, sample = make_sample(0)
        wanted = one(metric(), (image, sample))
        target = sample.gt_sem_seg.data
        del sample.gt_sem_seg
        options = dict(gt_field='gt_parts', ignore_index=-1)
        assert one(metric(**options), (image, sample),
                   gt_parts=target.where(target < 255, -1)) == wanted


class TestNFCovering:

    def test_background(self):
        _, sample = make_sample(0)
        target, maps = (sample.gt_sem_seg.data[0], sample.pred_hierarchy.data)
        for background in (0, 1, 4, None):
            regions = target + 1
            if background is not None:
                regions[target == background] = 0
            regions[target == 255] = 255
            results = one(NFCovering(background=background))
            assert results['NFCovering/level1'] == pytest.approx(
                100 * F.nf_covering(maps[1], regions), rel=1e-12)

    def test_background_and_ids_of_any_size(self):
        """Of uint8 labels, 254 + 1 is not the ignored 255."""
        _, sample = make_sample(0)
        target = sample.gt_sem_seg.data
        renamed = target.where(target != 4, 254).to(torch.uint8)
        assert one(NFCovering(background=None), gt_sem_seg=renamed) == one(
            NFCovering(background=None))

    def test_no_regions(self):
        # The fifth image has none.
        assert all(math.isnan(v) for v in one(NFCovering(), 4).values())


class TestSuperpixelQuality:

    def test_is_of_the_finest_level(self):
        assert {name[-6:] for name in one(SuperpixelQuality())} == {'level0'}

    def test_some_measures(self):
        everything = one(SuperpixelQuality())
        name = 'SuperpixelQuality/{}/level0'.format
        results = one(SuperpixelQuality(measures=['UE', 'BR']))
        assert results == {name(m): everything[name(m)] for m in ('UE', 'BR')}

    @pytest.mark.parametrize('measures', ['ASA', [], ['ASA', 'asa']])
    def test_wrong_measures(self, measures):
        with pytest.raises(ValueError, match='`measures`'):
            SuperpixelQuality(measures=measures)

    def test_boundary_tolerance(self):
        values = [
            one(SuperpixelQuality(measures=['BR'], boundary_tolerance=t))
            ['SuperpixelQuality/BR/level0'] for t in range(3)
        ]
        assert values == sorted(values) and len(set(values)) == 3

    def test_wrong_boundary_tolerance(self):
        with pytest.raises(TypeError, match='`boundary_tolerance` .* got 2.5'):
            SuperpixelQuality(boundary_tolerance=2.5)

    def test_variation_of_an_image_of_another_size(self):
        """The image is as it entered the model, the maps as it was loaded."""
        image, sample = make_sample(0)
        metric = SuperpixelQuality(measures=['EV'])
        wanted = one(metric, (image, sample))
        large = image.repeat_interleave(3, 1).repeat_interleave(2, 2)
        # A fourth channel is the map that travels with it.
        large = torch.cat([large.int(), torch.zeros(1, 90, 82).int()])
        got = one(metric, (large, sample))
        assert got == pytest.approx(wanted, rel=1e-12)

    def test_variation_of_constant_images(self):
        image, sample = make_sample(0)
        metric = SuperpixelQuality(measures=['EV'])
        assert set(one(metric, (image * 0 + 9, sample)).values()) == {100.}

    @pytest.mark.parametrize('batch', [None, {}, dict(inputs=[[None]])])
    def test_variation_without_image(self, batch):
        metric = SuperpixelQuality()
        sample = make_sample(0)[1].to_dict()
        with pytest.raises(ValueError, match="leave 'EV' out"):
            metric.process(batch, [sample])
        SuperpixelQuality(measures=['ASA']).process(batch, [sample])


def test_results_are_one_per_image():
    """MMEngine tells repeated images by their number."""
    for config in METRICS:
        metric = MMENGINE_METRICS.build(config)
        metric.dataset_meta = dict(classes='abcde')
        for i in (4, 0):
            image, sample = make_sample(i)
            metric.process(dict(inputs=[image]), [sample.to_dict()])
        assert len(metric.results) == 2


def test_base_class_is_abstract():
    with pytest.raises(TypeError, match='abstract'):
        PerLevelMetric()
