import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.structures import PixelData
from mmseg.models import SegDataPreProcessor
from mmseg.registry import MODELS as MMSEG_MODELS
from mmseg.structures import SegDataSample

from mmhierseg.models.data_preprocessors import SuperpixelSegDataPreProcessor
from mmhierseg.superpixels import TorchSLIC

NORM = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
SLIC = dict(type='TorchSLIC', segment_size=8)
SIZES = [(40, 56), (17, 33), (40, 20)]


def samples(sizes):
    return [
        SegDataSample(
            gt_sem_seg=PixelData(data=torch.ones(1, *size).long()))
        for size in sizes
    ]


def cut(images):
    return [images[i % 2, :, :h, :w] for i, (h, w) in enumerate(SIZES)]


@pytest.mark.parametrize('padding, padded', [
    (dict(size=(64, 72)), (64, 72)),
    (dict(size_divisor=32), (64, 64)),
])
def test_training(bgr, rgbs, padding, padded):
    options = dict(bgr_to_rgb=True, pad_val=3, **NORM, **padding)
    data = dict(inputs=cut(bgr), data_samples=samples(SIZES))
    base = SegDataPreProcessor(**options)(
        dict(inputs=cut(bgr), data_samples=samples(SIZES)), training=True)
    make = SuperpixelSegDataPreProcessor(superpixels=SLIC, **options)
    carry = SuperpixelSegDataPreProcessor(**options)
    made = make(data, training=True)
    carried = carry(
        dict(inputs=cut(rgbs), data_samples=samples(SIZES)), training=True)
    for found in (made, carried):
        assert found['inputs'].shape == (3, 4, *padded)
        assert found['inputs'][:, :3].equal(base['inputs'])
        for sample, expected in zip(found['data_samples'],
                                    base['data_samples']):
            assert sample.gt_sem_seg.data.equal(expected.gt_sem_seg.data)
            assert sample.metainfo == expected.metainfo
    for i, (height, width) in enumerate(SIZES):
        alone = TorchSLIC(segment_size=8)(cut(bgr)[i][None].flip(1))[0]
        assert made['inputs'][i, 3, :height, :width].equal(alone.float())
        labels = cut(rgbs)[i][3].long()
        found = carried['inputs'][i, 3, :height, :width]
        assert found.long().equal(labels)
        for both in (made, carried):
            assert (both['inputs'][i, 3, height:] == -1).all()
            assert (both['inputs'][i, 3, :, width:] == -1).all()


@pytest.mark.parametrize('test_cfg, padded', [
    (None, (40, 56)),
    (dict(size_divisor=32), (64, 64)),
    (dict(size=(48, 80)), (48, 80)),
])
def test_testing(bgr, rgbs, maps, test_cfg, padded):
    options = dict(bgr_to_rgb=True, test_cfg=test_cfg, **NORM)
    data = dict(inputs=list(bgr), data_samples=samples([(40, 56)] * 2))
    found = SuperpixelSegDataPreProcessor(superpixels=SLIC, **options)(data)
    inputs = found['inputs']
    assert inputs.shape == (2, 4, *padded)
    expected = TorchSLIC(segment_size=8)(bgr.flip(1))
    assert inputs[:, 3, :40, :56].equal(expected.float())
    assert (inputs[:, 3, 40:] == -1).all()
    assert (inputs[:, 3, :, 56:] == -1).all()
    if test_cfg:
        sample = found['data_samples'][0]
        assert sample.pad_shape == padded
    carried = SuperpixelSegDataPreProcessor(**options)(
        dict(inputs=list(rgbs), data_samples=samples([(40, 56)] * 2)))
    assert carried['inputs'][:, 3, :40, :56].long().equal(maps.long())


def test_testing_without_samples(bgr):
    make = SuperpixelSegDataPreProcessor(superpixels=SLIC)
    found = make(dict(inputs=list(bgr)))
    assert found['data_samples'] is None
    assert make(dict(inputs=bgr))['inputs'].equal(found['inputs'])


def test_takes_the_place_of_the_one_in_a_config():
    """Inheriting and changing `type` is all it takes."""
    base = ConfigDict(
        data_preprocessor=dict(
            type='SegDataPreProcessor',
            mean=NORM['mean'],
            std=NORM['std'],
            bgr_to_rgb=True,
            pad_val=0,
            seg_pad_val=255,
            size=(64, 64)))
    config = Config._merge_a_into_b(
        dict(
            data_preprocessor=dict(
                type='mmhierseg.SuperpixelSegDataPreProcessor',
                superpixels=SLIC)), base)
    preprocessor = MMSEG_MODELS.build(config['data_preprocessor'])
    assert type(preprocessor) is SuperpixelSegDataPreProcessor
    assert preprocessor.size == (64, 64) and preprocessor._channel_conversion


def test_trains_and_tests_in_an_unchanged_segmentor(bgr, monkeypatch):
    """EncoderDecoder with whole and sliding inference hands S on."""
    from mmseg.models import EncoderDecoder
    seen = []

    class Backbone(torch.nn.Module):

        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 4, 1)

        def forward(self, inputs):
            seen.append(inputs)
            return (self.conv(inputs[:, :3]), )

    monkeypatch.setitem(MMSEG_MODELS.module_dict, 'RGBSProbe', Backbone)
    model = EncoderDecoder(
        backbone=dict(type='RGBSProbe'),
        decode_head=dict(
            type='FCNHead',
            in_channels=4,
            channels=4,
            num_convs=0,
            concat_input=False,
            in_index=0,
            num_classes=3),
        data_preprocessor=dict(
            type='mmhierseg.SuperpixelSegDataPreProcessor',
            superpixels=SLIC,
            size=(48, 64)),
        train_cfg=ConfigDict(),
        test_cfg=ConfigDict(
            mode='slide', crop_size=(24, 32), stride=(16, 24)))
    data = dict(
        inputs=list(bgr), data_samples=samples([(40, 56)] * 2))
    losses = model(**model.data_preprocessor(data, training=True), mode='loss')
    assert torch.isfinite(losses['decode.loss_ce'])
    expected = TorchSLIC(segment_size=8)(bgr)
    assert seen[0][:, 3, :40, :56].equal(expected.float())

    sample = SegDataSample(
        metainfo=dict(
            img_shape=(40, 56), ori_shape=(40, 56), pad_shape=(40, 56)))
    model.eval().test_step(dict(inputs=[bgr[0]], data_samples=[sample]))
    windows = seen[1:]
    assert all(window.shape == (1, 4, 24, 32) for window in windows)
    assert windows[0][0, 3].equal(expected[0, :24, :32].float())
    assert windows[-1][0, 3].equal(expected[0, -24:, -32:].float())
