import pytest
import torch
from helpers.cast import TINY, random_inputs
from mmengine.config import ConfigDict
from mmengine.structures import PixelData
from mmseg.models import EncoderDecoder
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

CONFIG = dict(
    backbone=dict(
        type='mmhierseg.CAST', out_type='featmap', out_indices=(3, ), **TINY),
    decode_head=dict(
        type='mmseg.FCNHead', in_channels=48, in_index=0, channels=8,
        num_convs=1, concat_input=False, num_classes=5))
SLIDE = dict(mode='slide', crop_size=(48, 64), stride=(16, 32))


def build(name, **options):
    torch.manual_seed(0)
    options = {'test_cfg': dict(mode='whole'), **options}
    model = MODELS.build(ConfigDict(type=name, **CONFIG, **options))
    return model.eval()


def samples():
    """Two images padded by 16 columns, the second mirrored; other sizes."""
    both = dict(
        img_shape=(64, 80), pad_shape=(64, 96), img_padding_size=(0, 16, 0, 0))
    metas = [
        dict(both, ori_shape=(32, 40)),
        dict(both, ori_shape=(64, 80), flip=True, flip_direction='horizontal')
    ]
    return [SegDataSample(metainfo=meta) for meta in metas]


@pytest.fixture
def inputs():
    inputs = random_inputs(2, 64, 96)
    inputs[:, 3, :, -16:] = -1
    return inputs


@pytest.mark.parametrize('test_cfg', [dict(mode='whole'), SLIDE])
@torch.no_grad()
def test_predicts_as_its_base(inputs, test_cfg):
    ours = build('mmhierseg.HierarchyEncoderDecoder', test_cfg=test_cfg)
    base = build('EncoderDecoder', test_cfg=test_cfg)
    assert isinstance(ours, EncoderDecoder)
    pairs = zip(
        ours(inputs, samples(), 'predict'), base(inputs, samples(), 'predict'))
    for got, wanted in pairs:
        torch.testing.assert_close(got.seg_logits.data, wanted.seg_logits.data,
                                   rtol=0, atol=0)
        assert 'pred_hierarchy' not in wanted


@pytest.mark.parametrize('test_cfg', [dict(mode='whole'), SLIDE])
@torch.no_grad()
def test_hierarchy_is_the_backbones(inputs, test_cfg):
    model = build('mmhierseg.HierarchyEncoderDecoder', test_cfg=test_cfg)
    predictions = model(inputs, samples(), 'predict')
    small, mirrored = (sample.pred_hierarchy for sample in predictions)
    assert isinstance(small, PixelData)
    assert small.data.shape == (5, 32, 40)
    assert mirrored.data.shape == (5, 64, 80)
    hierarchy = model.backbone.forward_hierarchy(inputs).hierarchy
    for level in range(5):
        wanted = hierarchy.label_map(level)
        torch.testing.assert_close(mirrored.data[level],
                                   wanted[1, :, :80].flip(1))
        torch.testing.assert_close(small.data[level],
                                   wanted[0, 1::2, 1:80:2])
    assert len(mirrored.data[4].unique()) <= 2 < len(mirrored.data[0].unique())


@torch.no_grad()
def test_without_data_samples(inputs):
    model = build('mmhierseg.HierarchyEncoderDecoder')
    for sample in model(inputs, mode='predict'):
        assert sample.pred_hierarchy.data.shape == (5, 64, 96)
        assert (sample.pred_hierarchy.data[:, :, -16:] == -1).all()


def test_backbone_without_hierarchy():
    backbone = dict(type='mmseg.ResNet', depth=18)
    with pytest.raises(TypeError, match='forward_hierarchy.* got ResNet'):
        MODELS.build(dict(CONFIG, type='mmhierseg.HierarchyEncoderDecoder',
                          backbone=backbone))
