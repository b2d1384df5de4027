import pytest
import torch
from mmengine.dataset import default_collate, pseudo_collate
from mmengine.structures import PixelData
from mmpretrain.structures import DataSample
from mmseg.models import SegDataPreProcessor
from mmseg.structures import SegDataSample

from mmhierseg.models import (
    MultiViewSegDataPreProcessor,
    SuperpixelSegDataPreProcessor,
)
from mmhierseg.registry import MODELS

NORM = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])


def packed(rgbs):
    """Output of a dataset for two images with two views each."""
    return [
        dict(
            inputs=[image, image.flip(2)],
            data_samples=DataSample(metainfo=dict(img_path=f'{i}.png')))
        for i, image in enumerate(rgbs)
    ]


@pytest.mark.parametrize('collate', [default_collate, pseudo_collate])
def test_views(rgbs, maps, collate):
    """One batch, all first views before all second ones."""
    make = MultiViewSegDataPreProcessor(bgr_to_rgb=True, **NORM)
    found = make(collate(packed(rgbs)), training=True)
    inputs = found['inputs']
    assert set(found) == {'inputs', 'data_samples', 'image_index'}
    assert inputs.shape == (4, 4, 40, 56) and inputs.dtype == torch.float32
    assert found['image_index'].tolist() == [0, 1, 0, 1]
    assert [sample.img_path for sample in found['data_samples']
            ] == ['0.png', '1.png'] * 2
    assert inputs[2:].equal(inputs[:2].flip(3))
    # Labels of 2^24 - 1 are exact.
    assert inputs[:2, 3].long().equal(maps.long())
    # The image is as MMSegmentation normalises it.
    theirs = SegDataPreProcessor(bgr_to_rgb=True, **NORM)
    expected = theirs(dict(inputs=list(rgbs[:, :3])))['inputs']
    torch.testing.assert_close(inputs[:2, :3], expected)


@pytest.mark.parametrize('count', [1, 3])
def test_segments_made_here(bgr, count):
    options = dict(
        superpixels=dict(type='Grid', segment_size=8), bgr_to_rgb=True, **NORM)
    found = MultiViewSegDataPreProcessor(**options)(
        dict(inputs=[bgr] * count), training=True)
    expected = SuperpixelSegDataPreProcessor(**options)(
        dict(inputs=list(bgr)))['inputs']
    torch.testing.assert_close(
        found['inputs'], expected.repeat(count, 1, 1, 1))
    assert found['image_index'].tolist() == [0, 1] * count
    assert found['data_samples'] is None


def samples(count):
    """Ground truth as MMSegmentation packs it."""
    truth = torch.zeros(1, 40, 56, dtype=torch.int64)
    return [
        SegDataSample(gt_sem_seg=PixelData(data=truth.clone()))
        for _ in range(count)
    ]


@pytest.mark.parametrize('training, has_maps', [(True, True), (False, True),
                                                (False, False)])
def test_single_views(bgr, rgbs, training, has_maps):
    """As in MMSegmentation, with padding; in testing a map is optional."""
    options = dict(size=(64, 60), test_cfg=dict(size=(64, 60)),
                   bgr_to_rgb=True, **NORM)
    data = dict(inputs=list(rgbs if has_maps else bgr),
                data_samples=samples(2))
    found = MultiViewSegDataPreProcessor(**options)(data, training)
    expected = SegDataPreProcessor(**options)(
        dict(inputs=list(bgr), data_samples=samples(2)), training)
    assert found.keys() - expected.keys() == set(['image_index'] * training)
    assert found.get('image_index', torch.arange(2)).tolist() == [0, 1]
    assert found['inputs'].shape == (2, 3 + has_maps, 64, 60)
    torch.testing.assert_close(found['inputs'][:, :3], expected['inputs'])
    assert (found['data_samples'][0].metainfo ==
            expected['data_samples'][0].metainfo)


def test_bad_batches(bgr, rgbs):
    make = MODELS.build(dict(type='MultiViewSegDataPreProcessor'))
    for inputs, training, message in [
        ([rgbs, rgbs], False, 'must not have MultiView'),
        ([bgr, bgr], True, '3 channels and `superpixels` is'),
        ([rgbs, rgbs[:, :, :24]], True, 'must have the same shape.*padding'),
        ([rgbs, rgbs[:1]], True, r'\[1, 2\] images')]:
        with pytest.raises(ValueError, match=message):
            make(dict(inputs=inputs), training)
