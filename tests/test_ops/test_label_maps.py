import pytest
import torch
import torch.nn.functional as F

from mmhierseg import ops


def random_labels(high, size=(5, 7)):
    torch.manual_seed(0)
    return torch.randint(-1, high, (3, *size))


def slow_compact(labels):
    out = torch.full_like(labels, -1)
    counts = []
    for image, target in zip(labels, out):
        names = sorted(set(image[image >= 0].tolist()))
        for rank, name in enumerate(names):
            target[image == name] = rank
        counts.append(len(names))
    return out, torch.tensor(counts)


@pytest.mark.parametrize('high', [0, 1, 3, 40, 10_000])
@pytest.mark.parametrize('bound', [None, 10_000])
def test_compact_slow_reference(implementation, high, bound):
    """Small labels are ranked by a table, large ones by sorting."""
    labels = random_labels(high=high)
    negative = torch.where(labels < 0, -7, labels)
    for names in (labels, negative, labels.transpose(1, 2)):
        expected, counts = slow_compact(names)
        compact, number = ops.compact_labels(names, bound)
        assert torch.equal(compact, expected)
        assert torch.equal(number, counts)


@pytest.mark.parametrize('columns', [1, 2, 3])
def test_joint_labels(columns):
    torch.manual_seed(columns)
    values = [torch.randint(-2, 3, (50, )) * 2**61 for _ in range(columns)]
    labels, number = ops.joint_labels(*values)
    members = list(zip(*(value.tolist() for value in values)))
    names = sorted(set(members))
    assert labels.tolist() == [names.index(member) for member in members]
    assert number == len(names)
    labels, number = ops.joint_labels(*(value[:0] for value in values))
    assert labels.shape == (0, ) and labels.dtype == torch.int64
    assert number == 0


def test_parents_of_nothing():
    segments = torch.full((2, 3, 4), -1)
    for number in (0, 3):
        table = torch.zeros(2, number, dtype=torch.int64)
        assert torch.equal(ops.look_up_parents(table, segments), segments)


@pytest.mark.parametrize('stride', [1, 2, 4, 8])
def test_map_slow_reference(stride):
    tokens = torch.randn(3, 4, 3)
    labels = random_labels(high=4, size=(10, 13))
    padded = F.pad(tokens, (0, 0, 0, 1))
    pixels = torch.stack([rows[names] for rows, names in zip(padded, labels)])
    got = ops.tokens_to_map(tokens, labels, stride)
    expected = F.avg_pool2d(
        pixels.permute(0, 3, 1, 2), stride, ceil_mode=True,
        count_include_pad=False)
    torch.testing.assert_close(got, expected)
