import torch
import torch.nn.functional as F

from mmhierseg import ops


def random_case(num_segments=5, num_classes=3, size=(7, 11)):
    """Logits, labels with gaps and ground truth with ignored pixels."""
    torch.manual_seed(0)
    logits = torch.randn(2, num_segments, num_classes)
    labels = torch.randint(-1, num_segments, (2, *size))
    target = torch.randint(0, num_classes + 1, (2, *size))
    target[target == num_classes] = 255
    return logits, labels, target


def counts_of(logits, labels, target, **options):
    return ops.segment_class_counts(labels, target, logits.size(1),
                                    logits.size(2), **options)


def test_counts_slow_reference():
    logits, labels, target = random_case()
    counts = counts_of(logits, labels, target)
    assert counts.dtype == torch.int64
    for b in range(2):
        for segment in range(5):
            for category in range(3):
                both = (labels[b] == segment) & (target[b] == category)
                assert counts[b, segment, category] == both.sum()
    target[target == 255] = 0
    ignored = counts_of(logits, labels, target, ignore_index=0)
    assert torch.equal(ignored[..., 1:], counts[..., 1:])
    assert not ignored[..., 0].any()


def test_entropy_is_the_sum_over_pixels():
    logits, labels, target = random_case()
    counts = counts_of(logits, labels, target)
    expected = F.cross_entropy(
        ops.tokens_to_map(logits, labels, stride=1),
        target.masked_fill(labels < 0, 255), ignore_index=255,
        reduction='sum')
    found = ops.segment_cross_entropy(logits.requires_grad_(), counts)
    torch.testing.assert_close(found, expected)
    # Nothing counted is zero with a gradient.
    value = ops.segment_cross_entropy(logits, 0 * counts)
    value.backward()
    assert value == 0 and not logits.grad.any()


def test_majority_class():
    counts = torch.tensor([[[0, 0, 0], [1, 5, 5]], [[9, 0, 8], [0, 0, 1]]])
    assert ops.majority_class(counts).tolist() == [[-1, 1], [0, 2]]
