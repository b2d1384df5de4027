"""The loss of a head on segments, with and without logits at pixels."""

import pytest
import torch
from helpers.segments import random_segments, samples_of
from mmseg.models.losses import CrossEntropyLoss
from torch.utils._python_dispatch import TorchDispatchMode

from mmhierseg.models import SegmentFCNHead, SegmentMaskTransformerHead

CLASSES = 5
CE = dict(type='mmseg.CrossEntropyLoss')
#: Losses that are sums over pixels of log-probabilities.
PLAIN = [
    dict(CE, avg_non_ignore=True),
    dict(CE, avg_non_ignore=False),
    dict(CE, avg_non_ignore=True, loss_weight=0.4, loss_name='loss_seg'),
    [dict(CE, loss_name='loss_a'), dict(CE, loss_name='loss_b')],
    [dict(CE), dict(CE, loss_weight=2.)],
]
OTHER = [
    dict(CE, class_weight=[1., 2., 1., 1., 3.]),
    dict(CE, use_sigmoid=True),
    dict(type='mmseg.DiceLoss', ignore_index=None),
    [dict(CE, avg_non_ignore=True), dict(type='mmseg.LovaszLoss',
                                         reduction='none')],
]


def make_head(kind=SegmentMaskTransformerHead, **options):
    torch.manual_seed(0)
    width = dict(channels=16) if kind is SegmentFCNHead else {}
    head = kind(in_channels=16, num_classes=CLASSES, **width, **options)
    head.init_weights()
    return head.double().eval()


def case(empty=False):
    segments = random_segments(empty=empty)
    return segments._replace(
        cls_token=segments.cls_token.double(),
        tokens=segments.tokens.double()), samples_of(segments)


@pytest.fixture
def pixel_losses(monkeypatch):
    """How often MMSegmentation's cross entropy is given pixels."""
    calls = []
    original = CrossEntropyLoss.forward

    def forward(self, score, *args, **kwargs):
        calls.append(tuple(score.shape))
        return original(self, score, *args, **kwargs)

    monkeypatch.setattr(CrossEntropyLoss, 'forward', forward)
    return calls


@pytest.mark.parametrize('kind', [SegmentMaskTransformerHead, SegmentFCNHead])
@pytest.mark.parametrize('loss', PLAIN)
def test_cross_entropy_without_pixels_is_the_same(kind, loss, pixel_losses):
    segments, samples = case(empty=True)
    values, gradients = [], []
    for on_segments in (True, False):
        head = make_head(kind, loss_decode=loss, loss_on_segments=on_segments)
        losses = head.loss((segments, ), samples, {})
        sum(v for k, v in losses.items() if 'loss' in k).backward()
        values.append(losses)
        gradients.append([p.grad for p in head.parameters()])
        if on_segments:
            assert not pixel_losses
    assert pixel_losses and set(pixel_losses) == {(2, CLASSES, 8, 12)}
    first, second = values
    assert first.keys() == second.keys()
    for name in first:
        torch.testing.assert_close(
            first[name].double(), second[name].double())
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize('loss', OTHER)
def test_other_losses_get_pixels(loss):
    segments = random_segments()
    # Lovasz loss knows float32 only.
    head = make_head(loss_decode=loss).float()
    assert not head._counts_suffice()
    losses = head.loss((segments, ), samples_of(segments), {})
    assert all(torch.isfinite(value).all() for value in losses.values())


def test_a_sampler_gets_pixels(pixel_losses):
    segments, samples = case()
    head = make_head(sampler=dict(type='OHEMPixelSampler', thresh=0.7,
                                  min_kept=10))
    head.loss((segments, ), samples, {})
    assert pixel_losses


@pytest.mark.parametrize('on_segments', [True, False])
def test_pixels_without_a_segment_are_ignored(on_segments):
    segments, samples = case()
    head = make_head(loss_on_segments=on_segments)
    expected = head.loss((segments, ), samples, {})
    for sample, labels in zip(samples, segments.labels):
        sample.gt_sem_seg.data[:, labels < 0] = 3
    result = head.loss((segments, ), samples, {})
    for name in expected:
        torch.testing.assert_close(result[name], expected[name])


@pytest.mark.parametrize('on_segments', [True, False])
def test_ground_truth_is_left_alone(on_segments):
    segments, samples = case()
    before = [sample.gt_sem_seg.data.clone() for sample in samples]
    make_head(loss_on_segments=on_segments).loss((segments, ), samples, {})
    for sample, data in zip(samples, before):
        assert torch.equal(sample.gt_sem_seg.data, data)


@pytest.mark.parametrize('on_segments', [True, False])
def test_all_ignored_is_zero_with_a_gradient(on_segments):
    segments, samples = case()
    for sample in samples:
        sample.gt_sem_seg.data.fill_(255)
    head = make_head(loss_on_segments=on_segments)
    losses = head.loss((segments, ), samples, {})
    losses['loss_ce'].backward()
    assert losses['loss_ce'] == 0 and torch.isfinite(losses['acc_seg']).all()
    assert not any(p.grad.any() for p in head.parameters())


def test_ground_truth_of_another_size(pixel_losses):
    """Logits are resized to it, as in MMSegmentation."""
    segments, _ = case()
    head = make_head()
    losses = head.loss((segments, ), samples_of(segments, size=(16, 24)), {})
    assert pixel_losses == [(2, CLASSES, 16, 24)]
    assert torch.isfinite(losses['loss_ce'])


def test_classes_beyond_the_heads():
    segments, samples = case()
    samples[1].gt_sem_seg.data[0, 3, 4] = CLASSES
    segments.labels[1, 3, 4] = 0
    with pytest.raises(ValueError, match=r'classes from 0 to 4 or 255.*\[5\]'):
        make_head().loss((segments, ), samples, {})


def test_predictions_have_the_size_of_the_input():
    segments, _ = case()
    head = make_head()
    expected = head((segments, ))
    sizes = [dict(img_shape=(8, 12))] * 2
    assert torch.equal(head.predict((segments, ), sizes, {}), expected)
    # Of a window, in sliding inference.
    window = [dict(img_shape=torch.Size((8, 12)))] * 2
    assert torch.equal(head.predict((segments, ), window, {}), expected)


def test_no_logits_at_pixels_while_training():
    """Of a map of 64 x 96 pixels nothing larger than the counts is made."""
    segments = random_segments((64, 96), num_segments=6)
    head = make_head().float()
    largest = []

    class Watch(TorchDispatchMode):

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor) and out.is_floating_point():
                largest.append(out.numel())
            return out

    samples = samples_of(segments)
    with Watch():
        head.loss((segments, ), samples, {})['loss_ce'].backward()
    # Attention and MLPs of 2 x 11 tokens, matrices of 16 x 64.
    assert max(largest) <= 2 * 11 * 64


@pytest.mark.parametrize('inputs, error, message', [
    ((torch.zeros(1, 16, 8, 8), ), TypeError,
     "give the backbone out_type='segments'.*got Tensor"),
    ((random_segments(channels=8), ), ValueError,
     'built for tokens of `in_channels` = 16, got 8'),
])
def test_wrong_input(inputs, error, message):
    with pytest.raises(error, match=message):
        make_head().float()(inputs)


def test_segments_need_not_be_in_a_tuple():
    segments, _ = case()
    head = make_head()
    assert torch.equal(head(segments), head((segments, )))
