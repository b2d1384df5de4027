import pytest
import torch

from mmhierseg.ops import compact_labels, joint_labels
from mmhierseg.ops.label_maps import _rank_by_sort, _rank_by_table


def random_labels(seed=0, high=40):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-1, high, (3, 5, 7), generator=generator)


def slow_compact(labels):
    out = torch.full_like(labels, -1)
    counts = []
    for image, target in zip(labels, out):
        names = sorted(set(image[image >= 0].tolist()))
        for rank, name in enumerate(names):
            target[image == name] = rank
        counts.append(len(names))
    return out, torch.tensor(counts)


@pytest.mark.parametrize('high', [1, 3, 40, 10_000])
def test_agrees_with_slow_reference(high):
    labels = random_labels(high=high)
    expected, counts = slow_compact(labels)
    compact, num = compact_labels(labels)
    assert torch.equal(compact, expected)
    assert torch.equal(num, counts)


def test_table_and_sort_agree():
    flat = random_labels().flatten(1)
    for a, b in zip(_rank_by_table(flat, 40), _rank_by_sort(flat)):
        assert torch.equal(a, b)


def test_known_bound_changes_nothing():
    labels = random_labels()
    for a, b in zip(compact_labels(labels), compact_labels(labels, 5000)):
        assert torch.equal(a, b)


def test_idempotent_and_independent_of_batch_mates():
    labels = random_labels()
    compact, _ = compact_labels(labels)
    assert torch.equal(compact_labels(compact)[0], compact)
    alone = torch.cat([compact_labels(image[None])[0] for image in labels])
    assert torch.equal(alone, compact)


def test_no_labels_at_all_and_negative_names():
    compact, num = compact_labels(torch.full((2, 2, 3), -7))
    assert (compact == -1).all() and (num == 0).all()


def test_non_contiguous_input():
    labels = random_labels().transpose(1, 2)
    assert torch.equal(
        compact_labels(labels)[0],
        compact_labels(labels.contiguous())[0])


@pytest.mark.parametrize('labels, error, message', [
    (torch.zeros(1, 2, 2), TypeError, '`labels` must be int64, got .*float'),
    (torch.zeros(4).long(), ValueError, '`labels` must have a batch axis'),
])
def test_exceptions(labels, error, message):
    with pytest.raises(error, match=message):
        compact_labels(labels)


@pytest.mark.parametrize('columns', [1, 2, 3])
def test_joint_labels(columns):
    generator = torch.Generator().manual_seed(columns)
    values = [
        torch.randint(-2, 3, (50, ), generator=generator) * 2**61
        for _ in range(columns)
    ]
    labels, number = joint_labels(*values)
    members = list(zip(*(value.tolist() for value in values)))
    names = sorted(set(members))
    assert labels.tolist() == [names.index(member) for member in members]
    assert number == len(names)


def test_joint_labels_of_nothing():
    labels, number = joint_labels(torch.zeros(0).long(), torch.zeros(0).int())
    assert labels.shape == (0, ) and labels.dtype == torch.int64
    assert number == 0


@pytest.mark.parametrize('columns, error, match', [
    ([], ValueError, 'at least one'),
    ([torch.zeros(3)], TypeError, 'integers, got torch.float32'),
    ([torch.zeros(3).long(), torch.zeros(4).long()], ValueError,
     r'got \[\(3,\), \(4,\)\]'),
    ([torch.zeros(3, 1).long()], ValueError, r'got \[\(3, 1\)\]'),
])
def test_joint_labels_of_bad_input(columns, error, match):
    with pytest.raises(error, match=match):
        joint_labels(*columns)
