import pytest
import torch
from mmengine.dataset import default_collate, pseudo_collate
from mmpretrain.structures import DataSample

from mmhierseg.models.data_preprocessors import (
    SuperpixelSelfSupDataPreprocessor,
)
from mmhierseg.superpixels import TorchSLIC

NORM = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
SLIC = dict(type='TorchSLIC', segment_size=8)


def test_views(bgr, rgbs, maps):
    views = [bgr, bgr[:, :, :24, :32].flip(3)]
    make = SuperpixelSelfSupDataPreprocessor(
        to_rgb=True, superpixels=SLIC, **NORM)
    found = make(dict(inputs=views))['inputs']
    assert isinstance(found, list) and len(found) == 2
    for view, both in zip(views, found):
        assert both.equal(make(dict(inputs=view))['inputs'])
        expected = TorchSLIC(segment_size=8)(view.flip(1))
        assert both[:, 3].equal(expected.float())

    carry = SuperpixelSelfSupDataPreprocessor(**NORM)
    found = carry(dict(inputs=[rgbs, rgbs.flip(3)]))['inputs']
    assert found[0][:, 3].long().equal(maps.long())
    assert found[1][:, 3].long().equal(maps.flip(2).long())


@pytest.mark.parametrize('order', [('inputs', 'data_samples'),
                                   ('data_samples', 'inputs')])
def test_data_samples_pass_through(bgr, order):
    values = dict(
        inputs=[bgr, bgr], data_samples=[DataSample(), DataSample()])
    make = SuperpixelSelfSupDataPreprocessor(superpixels=SLIC)
    found = make({key: values[key] for key in order})
    assert found['inputs'][0].shape == (2, 4, 40, 56)
    assert len(found['data_samples']) == 2


def packed(bgr):
    """What the data set gives for two images with two views each."""
    return [
        dict(inputs=[image, image.flip(2)], data_samples=DataSample())
        for image in bgr
    ]


def test_collated(bgr):
    make = SuperpixelSelfSupDataPreprocessor(superpixels=SLIC)
    found = make(default_collate(packed(bgr)))['inputs']
    assert [view.shape for view in found] == [torch.Size([2, 4, 40, 56])] * 2
    with pytest.raises(ValueError, match="dict\\(type='default_collate'\\)"):
        make(pseudo_collate(packed(bgr)))


def test_views_with_and_without_maps(bgr, rgbs):
    carry = SuperpixelSelfSupDataPreprocessor()
    with pytest.raises(ValueError, match='3 channels and `superpixels` is'):
        carry(dict(inputs=[rgbs, bgr]))
