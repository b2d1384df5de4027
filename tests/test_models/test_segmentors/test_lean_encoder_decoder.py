import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmseg.models import EncoderDecoder
from mmseg.structures import SegDataSample

from mmhierseg.models import CAST, LeanEncoderDecoder  # noqa: F401
from mmhierseg.registry import MODELS


def build(kind):
    init_default_scope('mmseg')
    torch.manual_seed(0)
    arch = dict(embed_dims=48, depths=(1, 1), num_heads=4)
    return MODELS.build(
        dict(
            type=kind,
            backbone=dict(
                type='mmhierseg.CAST',
                arch=arch,
                img_size=64,
                num_clusters=(6, 4),
                out_type='segments'),
            decode_head=dict(
                type='mmhierseg.SegmentFCNHead',
                in_channels=48,
                channels=16,
                num_classes=5),
            test_cfg=ConfigDict(mode='whole'))).eval()


def samples(**meta):
    both = dict(
        img_shape=(48, 64), pad_shape=(48, 64), ori_shape=(48, 64),
        padding_size=[0] * 4)
    return [SegDataSample(metainfo=both),
            SegDataSample(metainfo=dict(both, **meta))]


@pytest.fixture
def inputs():
    torch.manual_seed(1)
    labels = torch.arange(12).view(1, 1, 3, 4).float()
    labels = labels.repeat_interleave(16, 2).repeat_interleave(16, 3)
    return torch.cat([torch.randn(2, 3, 48, 64),
                      labels.expand(2, -1, -1, -1)], dim=1)


@pytest.mark.parametrize('meta', [
    dict(),
    dict(ori_shape=(24, 31)),
    dict(padding_size=[0, 4, 0, 8], ori_shape=(40, 60)),
    dict(img_padding_size=[0, 4, 0, 8], ori_shape=(48, 64)),
    dict(flip=True, flip_direction='horizontal'),
], ids=lambda meta: ' '.join(meta))
@torch.no_grad()
def test_predicts_as_its_base(inputs, meta):
    ours, base = build('mmhierseg.LeanEncoderDecoder'), build('EncoderDecoder')
    assert isinstance(ours, EncoderDecoder)
    got, wanted = (
        model(inputs, samples(**meta), 'predict') for model in (ours, base))
    for one, other in zip(got, wanted):
        assert one.metainfo == other.metainfo
        for name in ('seg_logits', 'pred_sem_seg'):
            assert torch.equal(getattr(one, name).data,
                               getattr(other, name).data)
    assert len(ours(inputs, None, 'predict')) == 2


@torch.no_grad()
def test_logits_are_not_copied(inputs):
    model = build('mmhierseg.LeanEncoderDecoder')
    logits = model.encode_decode(inputs, [s.metainfo for s in samples()])
    results = model.postprocess_result(logits, samples())
    assert results[1].seg_logits.data.data_ptr() == logits[1].data_ptr()


@torch.no_grad()
def test_head_does_not_copy_logits_of_the_right_size(inputs):
    model = build('EncoderDecoder')
    logits = torch.randn(2, 5, 48, 64)
    meta = dict(img_shape=(48, 64))
    head = model.decode_head
    assert head.predict_by_feat(logits, [meta]) is logits
    for meta in (dict(img_shape=(48, 64), pad_shape=(96, 128)),
                 dict(img_shape=torch.Size([96, 128]), pad_shape=(48, 64))):
        assert head.predict_by_feat(logits, [meta]).shape == (2, 5, 96, 128)
