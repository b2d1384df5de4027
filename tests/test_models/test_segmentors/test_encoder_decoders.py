"""EncoderDecoder without copies of logits, and with hierarchies."""

import pytest
import torch
from helpers.cast import TINY, random_inputs
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmseg.models import EncoderDecoder
from mmseg.structures import SegDataSample

from mmhierseg.registry import MODELS

CONFIG = dict(
    backbone=dict(
        type='mmhierseg.CAST', out_type='featmap', out_indices=(3, ),
        featmap_stride=1, **TINY),
    decode_head=dict(
        type='mmseg.FCNHead', in_channels=48, in_index=0, channels=8,
        num_convs=1, concat_input=False, num_classes=5))
WHOLE = dict(mode='whole')
SLIDE = dict(mode='slide', crop_size=(48, 64), stride=(16, 32))
LEAN, HIERARCHY = (f'mmhierseg.{name}EncoderDecoder'
                   for name in ('Lean', 'Hierarchy'))
#: Images are 64 x 80 pixels, padded by 16 columns.
PADDED = dict(
    img_shape=(64, 80), pad_shape=(64, 96), img_padding_size=(0, 16, 0, 0))
FLIP = dict(flip=True, flip_direction='horizontal')


def build(name, test_cfg=WHOLE, **options):
    init_default_scope('mmseg')
    torch.manual_seed(0)
    config = {**CONFIG, 'type': name, 'test_cfg': test_cfg, **options}
    return MODELS.build(ConfigDict(config)).eval()


def samples(**meta):
    """Two images of 64 x 96 pixels, the second with other meta information."""
    both = dict(
        img_shape=(64, 96), pad_shape=(64, 96), ori_shape=(64, 96),
        padding_size=[0] * 4)
    return [SegDataSample(metainfo=both),
            SegDataSample(metainfo=dict(both, **meta))]


def padded_samples():
    """Two padded images: one was enlarged, the other mirrored."""
    return [
        SegDataSample(metainfo=dict(PADDED, ori_shape=(32, 40))),
        SegDataSample(metainfo=dict(PADDED, ori_shape=(64, 80), **FLIP))
    ]


@pytest.fixture
def inputs():
    inputs = random_inputs(2, 64, 96)
    inputs[:, 3, :, -16:] = -1
    return inputs


def assert_same(got, expected):
    for one, other in zip(got, expected):
        assert one.metainfo == other.metainfo
        for name in ('seg_logits', 'pred_sem_seg'):
            assert torch.equal(getattr(one, name).data,
                               getattr(other, name).data)


@pytest.mark.parametrize('meta', [
    dict(),
    dict(ori_shape=(24, 31)),
    dict(padding_size=[0, 4, 0, 8], ori_shape=(56, 92)),
    dict(img_padding_size=[0, 4, 0, 8], ori_shape=(64, 96)),
    FLIP,
], ids=lambda meta: ' '.join(meta))
@torch.no_grad()
def test_lean_model_predicts_as_its_base(inputs, meta):
    ours, base = build(LEAN), build('EncoderDecoder')
    assert isinstance(ours, EncoderDecoder)
    assert_same(*(model(inputs, samples(**meta), 'predict')
                  for model in (ours, base)))
    assert len(ours(inputs, None, 'predict')) == 2


@torch.no_grad()
def test_lean_model_does_not_copy_logits(inputs):
    model = build(LEAN)
    logits = model.encode_decode(inputs, [s.metainfo for s in samples()])
    results = model.postprocess_result(logits, samples())
    assert results[1].seg_logits.data.data_ptr() == logits[1].data_ptr()


@pytest.mark.parametrize('test_cfg', [WHOLE, SLIDE])
@torch.no_grad()
def test_hierarchy_is_that_of_the_backbone(inputs, test_cfg):
    model = build(HIERARCHY, test_cfg)
    predictions = model(inputs, padded_samples(), 'predict')
    assert_same(predictions, build('EncoderDecoder', test_cfg)(
        inputs, padded_samples(), 'predict'))
    small, mirrored = (sample.pred_hierarchy for sample in predictions)
    assert small.data.shape == (5, 32, 40)
    assert mirrored.data.shape == (5, 64, 80)
    hierarchy = model.backbone.forward_hierarchy(inputs).hierarchy
    for level in range(5):
        expected = hierarchy.label_map(level)
        assert torch.equal(mirrored.data[level], expected[1, :, :80].flip(1))
        assert torch.equal(small.data[level], expected[0, 1::2, 1:80:2])
    assert len(mirrored.data[4].unique()) <= 2 < len(mirrored.data[0].unique())
    for sample in model(inputs, mode='predict'):
        assert sample.pred_hierarchy.data.shape == (5, 64, 96)
        assert (sample.pred_hierarchy.data[:, :, -16:] == -1).all()


def test_backbone_without_hierarchy():
    with pytest.raises(TypeError, match='forward_hierarchy.* got ResNet'):
        build(HIERARCHY, backbone=dict(type='mmseg.ResNet', depth=18))
