"""Decode heads on segments: logits, loss and prediction."""

import numpy as np
import pytest
import torch
from helpers.cast import (
    DATA,
    LargestTensor,
    random_inputs,
    shake_statistics,
    tiny_cast,
)
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.models.decode_heads import FCNHead
from mmseg.structures import SegDataSample
from torch import nn

from mmhierseg._base.errors import UserError
from mmhierseg.models import SegmentFCNHead, SegmentMaskTransformerHead
from mmhierseg.models.heads import load_segmenter_weights
from mmhierseg.ops import tokens_to_map
from mmhierseg.registry import MODELS
from mmhierseg.structures import SegmentTokens

CLASSES = 5
HEADS = [SegmentMaskTransformerHead, SegmentFCNHead]
CE = dict(type='mmseg.CrossEntropyLoss')
#: Cross entropies need no logits at pixels.
PLAIN = [
    dict(loss_decode=loss) for loss in (
        dict(CE, avg_non_ignore=True, loss_weight=0.4, loss_name='loss_seg'),
        [dict(CE, loss_name='loss_a'), dict(CE, loss_name='loss_b')],
        [dict(CE), dict(CE, loss_weight=2.)])
]
OTHER = [
    dict(loss_decode=dict(CE, class_weight=[1., 2., 1., 1., 3.])),
    dict(loss_decode=dict(CE, use_sigmoid=True)),
    dict(loss_decode=[dict(CE, avg_non_ignore=True),
                      dict(type='mmseg.LovaszLoss', reduction='none')]),
    dict(sampler=dict(type='OHEMPixelSampler', thresh=0.7, min_kept=10)),
]


def make_head(kind=SegmentMaskTransformerHead, **options):
    """Built by name, with options of MMSegmentation's heads."""
    init_default_scope('mmseg')
    torch.manual_seed(0)
    width = dict(channels=12) if kind is SegmentFCNHead else dict(
        channels=16, num_heads=2)
    head = MODELS.build(
        dict(type=kind, in_channels=16, num_classes=CLASSES) | width | options)
    head.init_weights()
    return shake_statistics(head).double().eval()


def case(empty=False, size=(8, 12), channels=16):
    """Tokens of two images and ground truth; some pixels have none.

    The first image may have fewer segments.
    """
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(2, 6, channels, generator=generator).double()
    labels = torch.randint(-1, 6, (2, *size), generator=generator)
    mask = torch.zeros(2, 6, dtype=torch.bool) if empty else None
    if empty:
        mask[0, 4:] = True
        labels[0] = labels[0].clamp(max=3)
        tokens[0, 4:] = 0
    return SegmentTokens(tokens.mean(1), tokens, labels, mask), truth(size)


def truth(size):
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(
        0, CLASSES + 1, (2, 1, *size), generator=generator)
    target[target == CLASSES] = 255
    return [SegDataSample(gt_sem_seg=PixelData(data=data)) for data in target]


@pytest.mark.parametrize('kind', HEADS)
@pytest.mark.parametrize('options, ignored', [
    *((options, ignored) for options in PLAIN for ignored in (False, True)),
    *((options, False) for options in OTHER)
])
def test_losses_without_pixels_are_the_same(kind, options, ignored):
    """Pixels without a segment are ignored, whatever their truth."""
    segments, samples = case(empty=True)
    for sample, labels in zip(samples, segments.labels):
        sample.gt_sem_seg.data[:, labels < 0] = 3
        if ignored:
            sample.gt_sem_seg.data.fill_(255)
    # Lovasz loss supports float32 only.
    dtype = torch.float if 'Lovasz' in str(options) else torch.double
    segments = segments._replace(cls_token=segments.cls_token.to(dtype),
                                 tokens=segments.tokens.to(dtype))
    values, gradients = [], []
    for on_segments in (True, False):
        head = make_head(
            kind, loss_on_segments=on_segments, **options).to(dtype)
        losses = head.loss((segments, ), samples, {})
        total = sum(v for k, v in losses.items() if 'loss' in k)
        assert (total == 0) == ignored
        total.backward()
        if ignored:
            assert losses.pop('acc_seg').isfinite()
        values.append({k: v.double() for k, v in losses.items()})
        gradients.append([p.grad for p in head.parameters()])
    torch.testing.assert_close(*values)
    torch.testing.assert_close(*gradients)
    # The ground truth is not modified.
    missing = segments.labels[0] < 0
    assert ignored or (samples[0].gt_sem_seg.data[:, missing] == 3).all()


def test_ground_truth_of_another_size():
    """Logits are resized to it, as in MMSegmentation."""
    segments, _ = case()
    torch.testing.assert_close(*(
        make_head(loss_on_segments=value).loss(
            (segments, ), truth((16, 24)), {}) for value in (True, False)))


def test_no_logits_at_pixels_while_training():
    """No tensor is as large as logits of 64 x 96 pixels."""
    segments, samples = case(size=(64, 96))
    head = make_head()
    with LargestTensor() as largest:
        head.loss((segments, ), samples, {})['loss_ce'].backward()
    # The MLPs' hidden layers for 2 x 11 tokens; labels are integers.
    assert max(largest.floating) <= 8 * 2 * 11 * 64


def test_resizes_logits_only_if_needed():
    """To the padded input, or to the window of sliding inference."""
    head, logits = make_head(), torch.randn(2, 5, 48, 64)
    for meta, size in [
        (dict(img_shape=(48, 64)), None),
        (dict(img_shape=(48, 64), pad_shape=(96, 128)), (96, 128)),
        (dict(img_shape=torch.Size([96, 128]), pad_shape=(48, 64)), (96, 128)),
        (dict(img_shape=torch.Size([48, 64]), pad_shape=(96, 128)), None)
    ]:
        result = head.predict_by_feat(logits, [meta])
        assert result is logits if size is None else (
            result.shape == (2, 5, *size))


@pytest.mark.parametrize('kind', HEADS)
def test_batch_independence_order_and_empty_tokens(kind):
    head = make_head(kind)
    segments, _ = case(empty=True)
    expected = head((segments, ))
    # The tuple around the tokens is optional.
    assert torch.equal(head(segments), expected)
    other = segments._replace(tokens=torch.where(
        segments.empty[..., None], 100., segments.tokens))
    assert torch.equal(head((other, )), expected)
    number = int((~segments.empty[0]).sum())
    alone = SegmentTokens(segments.cls_token[:1], segments.tokens[:1, :number],
                          segments.labels[:1], segments.empty[:1, :number])
    torch.testing.assert_close(head((alone, )), expected[:1])
    order = torch.randperm(6)
    labels = torch.where(segments.labels < 0, -1,
                         order.argsort()[segments.labels.clamp(min=0)])
    other = SegmentTokens(segments.cls_token, segments.tokens[:, order],
                          labels, segments.empty[:, order])
    torch.testing.assert_close(head((other, )), expected)
    nothing = segments._replace(labels=torch.full_like(labels, -1),
                                empty=torch.ones_like(segments.empty))
    assert not head((nothing, )).any()


@pytest.mark.parametrize('size', [(64, 96), (60, 93)])
def test_equals_fcn_head_on_the_map_at_full_resolution(size):
    inputs = random_inputs(2, *size)
    inputs[1, 3, :, -9:] = -1
    backbone = tiny_cast(out_type='segments')
    at_pixels = tiny_cast(
        out_type='featmap', out_indices=('fused', ), featmap_stride=1)
    head = make_head(SegmentFCNHead, in_channels=48).float()
    other = FCNHead(
        kernel_size=1, num_convs=1, concat_input=False, in_channels=48,
        channels=12, num_classes=CLASSES, dropout_ratio=0,
        norm_cfg=dict(type='BN')).eval()
    other.load_state_dict(head.state_dict())
    expected = other(at_pixels(inputs))
    labelled = (inputs[:, 3:] >= 0).expand_as(expected)
    result = head(backbone(inputs))
    assert result.shape == (2, CLASSES, *size)
    torch.testing.assert_close(result[labelled], expected[labelled])


def test_statistics_are_over_segments_that_are_not_empty():
    head = make_head(SegmentFCNHead).train()
    segments, _ = case(empty=True)
    norm = head.convs[0].bn
    norm.momentum = 1.
    head(segments)
    rows = nn.functional.linear(segments.tokens[~segments.empty],
                                head.convs[0].conv.weight[..., 0, 0])
    torch.testing.assert_close(norm.running_mean, rows.mean(0))
    torch.testing.assert_close(norm.running_var, rows.var(0))


@pytest.mark.parametrize('empty', [False, True])
def test_training_with_statistics_of_pixels(empty):
    """As with features scattered to a map of half the resolution."""
    segments, samples = case(empty)
    labels = segments.labels[:, ::2, ::2].clamp(min=0).repeat_interleave(
        2, 1).repeat_interleave(2, 2)
    segments = segments._replace(labels=labels)
    head = make_head(SegmentFCNHead, train_stride=2).train()
    other = FCNHead(
        kernel_size=1, num_convs=1, concat_input=False, in_channels=16,
        channels=12, num_classes=CLASSES, dropout_ratio=0,
        norm_cfg=dict(type='BN'), loss_decode=dict(
            type='CrossEntropyLoss', avg_non_ignore=True)).double().train()
    other.load_state_dict(head.state_dict())
    results = []
    for model in (head, other):
        tokens = segments.tokens.clone().requires_grad_()
        if model is head:
            inputs = (segments._replace(tokens=tokens), )
        else:
            inputs = (tokens_to_map(tokens, labels, 2), )
        losses = model.loss(inputs, samples, {})
        losses['loss_ce'].backward()
        results.append([losses, tokens.grad, model.convs[0].bn.running_var,
                        model.convs[0].bn.running_mean,
                        [p.grad for p in model.parameters()]])
    torch.testing.assert_close(*results)


@pytest.mark.parametrize('stride', [None, 2])
@pytest.mark.parametrize('number', [0, 1])
def test_training_with_a_single_segment(number, stride):
    """Or none: BatchNorm cannot normalise a single row."""
    segments, samples = case()
    labels = segments.labels[:1].clamp(max=0)
    empty = torch.full((1, 1), number == 0)
    if not number:
        labels = torch.full_like(labels, -1)
    segments = SegmentTokens(segments.cls_token[:1], segments.tokens[:1, :1],
                             labels, empty)
    head = make_head(SegmentFCNHead, train_stride=stride).train()
    before = head.convs[0].bn.running_mean.clone()
    losses = head.loss((segments, ), samples[:1], {})
    losses['loss_ce'].backward()
    assert losses['loss_ce'].isfinite()
    # A single row changes no statistics; its pixels do.
    unchanged = torch.equal(head.convs[0].bn.running_mean, before)
    assert unchanged == (stride is None or number == 0)


def test_golden_logits_and_weights():
    """Values of the implementation by Segmenter's authors."""
    values = np.load(DATA / 'segmenter_mask_head.npz')
    weights = {
        key.removeprefix('weights/'): values[key]
        for key in values if key.startswith('weights/')
    }
    head = SegmentMaskTransformerHead(64, num_classes=CLASSES).eval()
    load_segmenter_weights(head, weights)
    tokens = torch.from_numpy(values['tokens'])
    labels = torch.from_numpy(values['superpixels']).long()
    # Tokens without a pixel take part, too.
    assert labels.max() < tokens.size(1) - 1
    result = head((SegmentTokens(tokens[:, 0], tokens, labels), ))
    expected = torch.from_numpy(values['logits'])
    assert result.shape == (2, CLASSES, 32, 48)
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)
    with torch.autocast('cpu', torch.bfloat16):
        mixed = head((SegmentTokens(tokens[:, 0], tokens, labels), ))
    # The cosines are in float32.
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, expected, rtol=0.1, atol=0.1)
    with pytest.raises(ValueError, match='size mismatch for cls_emb'):
        load_segmenter_weights(head, weights | dict(cls_emb=torch.zeros(1)))


def test_bad_input():
    segments, samples = case()
    head = make_head()
    with pytest.raises(TypeError, match="out_type='segments'.*got Tensor"):
        head((torch.zeros(1, 16, 8, 8), ))
    with pytest.raises(ValueError, match='`in_channels` = 16, got 8'):
        head((case(channels=8)[0], ))
    samples[1].gt_sem_seg.data[0, 3, 4] = CLASSES
    segments.labels[1, 3, 4] = 0
    with pytest.raises(UserError, match=r'classes from 0 to 4 or 255.*\[5\]'):
        head.loss((segments, ), samples, {})
    with pytest.raises(ValueError, match=r'be `embed_dims` \(256\).*got 8'):
        SegmentMaskTransformerHead(256, CLASSES, channels=8)
