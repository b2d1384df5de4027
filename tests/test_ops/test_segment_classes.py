import pytest
import torch
import torch.nn.functional as F

from mmhierseg.ops import (
    majority_class,
    segment_class_counts,
    segment_cross_entropy,
    tokens_to_map,
)


def random_case(num_segments=5, num_classes=3, size=(7, 11)):
    """Logits, labels with gaps and ground truth with ignored pixels."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, num_segments, num_classes, generator=generator)
    labels = torch.randint(-1, num_segments, (2, *size), generator=generator)
    target = torch.randint(0, num_classes + 1, (2, *size),
                           generator=generator)
    target[target == num_classes] = 255
    return logits, labels, target


def counts_of(logits, labels, target, **options):
    return segment_class_counts(labels, target, logits.size(1),
                                logits.size(2), **options)


def at_pixels(logits, labels, target):
    """The same sum over pixels."""
    pixels = tokens_to_map(logits, labels, stride=1)
    target = target.masked_fill(labels < 0, 255)
    return F.cross_entropy(pixels, target, ignore_index=255, reduction='sum')


def test_counts_slow_reference():
    logits, labels, target = random_case()
    turned = [x.transpose(1, 2).contiguous().transpose(1, 2)
              for x in (logits, labels, target)]
    counts = counts_of(*turned)
    assert counts.dtype == torch.int64
    for b in range(2):
        for segment in range(5):
            for category in range(3):
                both = (labels[b] == segment) & (target[b] == category)
                assert counts[b, segment, category] == both.sum()


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_slow_reference(dtype):
    """Values and gradients."""
    logits, labels, target = random_case()
    logits = logits.to(dtype).requires_grad_()
    value = segment_cross_entropy(logits, counts_of(logits, labels, target))
    expected = at_pixels(logits, labels, target)
    assert value.dtype == dtype
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(*(torch.autograd.grad(loss, logits)[0]
                                 for loss in (value, expected)))


def test_gradcheck():
    logits, labels, target = random_case()
    counts = counts_of(logits, labels, target)
    logits = logits.double().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: segment_cross_entropy(x, counts), logits)


def test_half_precision_is_summed_in_float32():
    logits, labels, target = random_case()
    counts = 1000 * counts_of(logits, labels, target)
    half = logits.to(torch.bfloat16)
    with torch.autocast('cpu', torch.bfloat16):
        value = segment_cross_entropy(half, counts)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value,
                               segment_cross_entropy(half.float(), counts))


def test_nothing_counted_is_zero_with_a_gradient():
    logits, labels, target = random_case()
    logits.requires_grad_()
    counts = counts_of(logits, labels, torch.full_like(target, 255))
    value = segment_cross_entropy(logits, counts)
    value.backward()
    assert value == 0 and not logits.grad.any()


def test_ignore_index():
    logits, labels, target = random_case()
    target[target == 255] = 0
    counts = counts_of(logits, labels, target, ignore_index=0)
    assert not counts[..., 0].any() and counts[..., 1:].any()


def test_majority_class():
    counts = torch.tensor([[[0, 0, 0], [1, 5, 5]], [[9, 0, 8], [0, 0, 1]]])
    assert majority_class(counts).tolist() == [[-1, 1], [0, 2]]
