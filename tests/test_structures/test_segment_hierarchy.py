import pytest
import torch

from mmhierseg.structures import SegmentHierarchy


def random_hierarchy(sizes=(12, 5, 3, 2), shape=(2, 6, 9)):
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(-1, sizes[0], shape, generator=generator)
    return SegmentHierarchy(labels, [
        torch.randint(0, above, (shape[0], below), generator=generator)
        for below, above in zip(sizes, sizes[1:])
    ])


def test_levels_follow_parents():
    """So they are nested, and pixels without a segment stay so."""
    hierarchy = random_hierarchy()
    assert hierarchy.num_levels == 4 and (hierarchy.labels < 0).any()
    for b, y, x in torch.cartesian_prod(*map(torch.arange, (2, 6, 9))):
        ancestor = own = hierarchy.labels[b, y, x]
        for level in range(4):
            if level and own >= 0:
                ancestor = hierarchy.parents[level - 1][b, ancestor]
                assert hierarchy.assignment(level)[b, own] == ancestor
            assert hierarchy.label_map(level)[b, y, x] == ancestor
    assert hierarchy.label_map(-1).equal(hierarchy.label_map(3))
    assert hierarchy.assignment(0).tolist() == [list(range(12))] * 2
    flat = SegmentHierarchy(hierarchy.labels, [])
    assert flat.assignment(0).size(1) == flat.labels.max() + 1


def test_missing_parents_are_inherited():
    labels = torch.tensor([[[0, 1]]])
    parents = [torch.tensor([[-1, 0]]), torch.tensor([[4]])]
    hierarchy = SegmentHierarchy(labels, parents)
    assert hierarchy.cpu().label_map(2).tolist() == [[[-1, 4]]]
    moved = hierarchy.to('meta')
    assert moved.device.type == moved.parents[1].device.type == 'meta'


def test_scatter_writes_tokens_of_each_level():
    hierarchy = random_hierarchy()
    for level, size in enumerate((12, 5, 3, 2)):
        # Index -1 finds the zeros.
        tokens = torch.cat([torch.randn(2, size, 4), torch.zeros(2, 1, 4)], 1)
        written = hierarchy.scatter(tokens[:, :-1], level)
        for b in range(2):
            expected = tokens[b, hierarchy.label_map(level)[b]]
            assert written[b].equal(expected.permute(2, 0, 1))


@pytest.mark.parametrize('labels, parents, error, message', [
    (torch.zeros(1, 2, 2), [], TypeError, '`labels` must be an int64'),
    (torch.zeros(2, 2).long(), [], ValueError, r'shape \(B, H, W\)'),
    (torch.zeros(1, 2, 2).long(), [torch.zeros(2, 3).long()], ValueError,
     r'`parents\[0\]` must have shape \(B, N_0\) with B = 1'),
    (torch.zeros(1, 2, 2).long(), [torch.zeros(1, 3)], TypeError,
     r'`parents\[0\]` must be an int64'),
    (torch.full((1, 2, 2), 3), [torch.zeros(1, 3).long()], ValueError,
     r'`labels` must be below 3, .* of `parents\[0\]`, got 3'),
    (torch.zeros(1, 2, 2).long(),
     [torch.full((1, 3), 2), torch.zeros(1, 2).long()], ValueError,
     r'`parents\[0\]` must be below 2, .* `parents\[1\]`, got 2'),
    (torch.full((1, 2, 2), -7), [], ValueError,
     '`labels` must be at least -1, which means none, got -7'),
])
def test_exceptions(labels, parents, error, message):
    with pytest.raises(error, match=message):
        SegmentHierarchy(labels, parents)


def test_bad_level_and_tokens():
    hierarchy = random_hierarchy()
    with pytest.raises(IndexError, match=r'`level` must lie in \[0, 3\]'):
        hierarchy.label_map(4)
    with pytest.raises(ValueError, match='a row for each of the 5 segments'):
        hierarchy.scatter(torch.zeros(2, 4, 3), 1)
