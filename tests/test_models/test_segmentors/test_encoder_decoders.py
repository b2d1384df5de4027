"""EncoderDecoder without copies of logits, and with hierarchies."""

import pytest
import torch
from helpers.cast import TINY, random_inputs
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
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
FLIP = dict(flip=True, flip_direction='horizontal')
#: Images are 64 x 80 pixels, padded by 16 columns.
PADDED = dict(
    img_shape=(64, 80), pad_shape=(64, 96), img_padding_size=(0, 16, 0, 0))


def predict(name, samples, test_cfg=WHOLE, **options):
    """A model, its inputs and predictions."""
    init_default_scope('mmseg')
    torch.manual_seed(0)
    config = {**CONFIG, 'type': name, 'test_cfg': test_cfg, **options}
    model = MODELS.build(ConfigDict(config)).eval()
    inputs = random_inputs(2, 64, 96)
    inputs[:, 3, :, -16:] = -1
    with torch.no_grad():
        return model, inputs, model(inputs, samples, 'predict')


def samples(*metas):
    return [
        SegDataSample(
            metainfo=dict(img_shape=(64, 96), pad_shape=(64, 96),
                          ori_shape=(64, 96), padding_size=[0] * 4) | meta)
        for meta in metas
    ]


def assert_same(got, expected):
    for one, other in zip(got, expected):
        assert one.metainfo == other.metainfo
        for name in ('seg_logits', 'pred_sem_seg'):
            assert torch.equal(getattr(one, name).data,
                               getattr(other, name).data)


@pytest.mark.parametrize('meta', [
    dict(), dict(ori_shape=(24, 31)), FLIP,
    dict(padding_size=[0, 4, 0, 8], ori_shape=(56, 92)),
    dict(img_padding_size=[0, 4, 0, 8], ori_shape=(64, 96)),
], ids=lambda meta: ' '.join(meta))
def test_lean_model_predicts_as_its_base_without_copies(meta):
    model, inputs, results = predict('mmhierseg.LeanEncoderDecoder',
                                     samples({}, meta))
    assert_same(results, predict('EncoderDecoder', samples({}, meta))[2])
    with torch.no_grad():
        logits = model.encode_decode(inputs, [s.metainfo for s in results])
        assert len(model(inputs, None, 'predict')) == 2
    results = model.postprocess_result(logits, samples({}, meta))
    assert meta or results[1].seg_logits.data.data_ptr() == (
        logits[1].data_ptr())


@pytest.mark.parametrize('meta', [
    dict(), dict(ori_shape=(32, 40), **PADDED | FLIP)])
@torch.no_grad()
def test_classes_are_resized_by_nearest_neighbour(meta):
    options = 'mmhierseg.LeanEncoderDecoder', samples(meta, meta)
    model, inputs, results = predict(
        *options, dict(WHOLE, resize_pred='nearest'))
    expected = model.encode_decode(
        inputs, [s.metainfo for s in results]).argmax(1)
    if meta:
        expected = expected[:, :, :80].flip(2)[:, 1::2, 1::2]
    assert torch.equal(torch.cat(
        [sample.pred_sem_seg.data for sample in results]), expected)
    # Logits are those of before, for averages over views.
    for one, other in zip(results, predict(*options)[2]):
        assert torch.equal(one.seg_logits.data, other.seg_logits.data)


@pytest.mark.parametrize('test_cfg', [WHOLE, SLIDE])
@torch.no_grad()
def test_hierarchy_is_that_of_the_backbone(test_cfg):
    """Two padded images: one was enlarged, the other mirrored."""
    metas = (dict(PADDED, ori_shape=(32, 40)),
             dict(PADDED, ori_shape=(64, 80), **FLIP))
    model, inputs, predictions = predict(
        'mmhierseg.HierarchyEncoderDecoder', samples(*metas), test_cfg)
    assert_same(predictions,
                predict('EncoderDecoder', samples(*metas), test_cfg)[2])
    small, mirrored = (sample.pred_hierarchy for sample in predictions)
    hierarchy = model.backbone.forward_hierarchy(inputs).hierarchy
    assert len(small.data) == len(mirrored.data) == hierarchy.num_levels == 5
    for level in range(5):
        expected = hierarchy.label_map(level)
        assert torch.equal(mirrored.data[level], expected[1, :, :80].flip(1))
        assert torch.equal(small.data[level], expected[0, 1::2, 1:80:2])
    for sample in model(inputs, mode='predict'):
        assert sample.pred_hierarchy.data.shape == (5, 64, 96)
        assert (sample.pred_hierarchy.data[:, :, -16:] == -1).all()


def test_backbone_without_hierarchy():
    with pytest.raises(TypeError, match='forward_hierarchy.* got ResNet'):
        predict('mmhierseg.HierarchyEncoderDecoder', None,
                backbone=dict(type='mmseg.ResNet', depth=18))
