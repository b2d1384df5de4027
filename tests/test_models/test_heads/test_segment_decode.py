"""Loss and prediction of heads on segments."""

import pytest
import torch
from helpers.segments import random_segments, samples_of
from mmseg.models.losses import CrossEntropyLoss
from torch.utils._python_dispatch import TorchDispatchMode

from mmhierseg._base.errors import UserError
from mmhierseg.models import SegmentFCNHead, SegmentMaskTransformerHead

CLASSES = 5
CE = dict(type='mmseg.CrossEntropyLoss')
#: Losses that need no logits at pixels.
PLAIN = [
    dict(CE, avg_non_ignore=True),
    dict(CE, avg_non_ignore=False),
    dict(CE, avg_non_ignore=True, loss_weight=0.4, loss_name='loss_seg'),
    [dict(CE, loss_name='loss_a'), dict(CE, loss_name='loss_b')],
    [dict(CE), dict(CE, loss_weight=2.)],
]
OHEM = dict(type='OHEMPixelSampler', thresh=0.7, min_kept=10)
OTHER = [
    dict(loss_decode=dict(CE, class_weight=[1., 2., 1., 1., 3.])),
    dict(loss_decode=dict(CE, use_sigmoid=True)),
    dict(loss_decode=[dict(CE, avg_non_ignore=True),
                      dict(type='mmseg.LovaszLoss', reduction='none')]),
    dict(sampler=OHEM),
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
    """Shapes of the logits that MMSegmentation's cross entropy gets."""
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


@pytest.mark.parametrize('options', OTHER)
def test_other_losses_and_samplers_get_pixels(options, pixel_losses):
    segments = random_segments()
    # Lovasz loss supports float32 only.
    head = make_head(**options).float()
    losses = head.loss((segments, ), samples_of(segments), {})
    assert all(torch.isfinite(value).all() for value in losses.values())
    assert pixel_losses


@pytest.mark.parametrize('on_segments', [True, False])
def test_pixels_without_a_segment_are_ignored(on_segments):
    """And the ground truth is not modified."""
    segments, samples = case()
    head = make_head(loss_on_segments=on_segments)
    expected = head.loss((segments, ), samples, {})
    for sample, labels in zip(samples, segments.labels):
        sample.gt_sem_seg.data[:, labels < 0] = 3
    result = head.loss((segments, ), samples, {})
    for name in expected:
        torch.testing.assert_close(result[name], expected[name])
    assert (samples[0].gt_sem_seg.data[:, segments.labels[0] < 0] == 3).all()


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


def test_labels_out_of_range():
    segments, samples = case()
    samples[1].gt_sem_seg.data[0, 3, 4] = CLASSES
    segments.labels[1, 3, 4] = 0
    with pytest.raises(UserError, match=r'classes from 0 to 4 or 255.*\[5\]'):
        make_head().loss((segments, ), samples, {})


def test_no_logits_at_pixels_while_training():
    """No tensor is as large as logits of 64 x 96 pixels."""
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
    # The MLPs' hidden layers for 2 x 11 tokens.
    assert max(largest) <= 2 * 11 * 64


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


def test_bad_input():
    head = make_head().float()
    segments = random_segments()
    # The tuple around the tokens is optional.
    assert torch.equal(head(segments), head((segments, )))
    with pytest.raises(TypeError, match="out_type='segments'.*got Tensor"):
        head((torch.zeros(1, 16, 8, 8), ))
    with pytest.raises(ValueError, match='`in_channels` = 16, got 8'):
        head((random_segments(channels=8), ))
