from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.memory import peak_bytes
from mmhierseg.ops import knn, knn_retrieve, knn_search

GOLDEN = Path(__file__).parents[1] / 'data/retrieval_knn.npz'


@pytest.fixture
def small_blocks(monkeypatch):
    """So small that queries and bank come in several blocks each."""
    monkeypatch.setattr(knn, '_QUERIES', 7)
    monkeypatch.setattr(knn, '_ENTRIES', 11)
    monkeypatch.setattr(knn, '_GROUP', 3)


def slow(queries, bank, labels, k, num_classes):
    """A loop over queries, in Python."""
    result = []
    for query in queries.double():
        cosines = torch.cosine_similarity(query[None], bank.double()).tolist()
        order = sorted(
            range(len(bank)), key=lambda i: (-cosines[i], int(labels[i])))
        votes = [int(labels[i]) for i in order[:k]]
        result.append(max(range(num_classes), key=votes.count))
    return torch.tensor(result)


def data(num_queries=15, num_entries=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(num_queries, 6, generator=generator),
            torch.randn(num_entries, 6, generator=generator),
            torch.randint(0, 5, (num_entries, ), generator=generator))


def test_golden(small_blocks):
    with np.load(GOLDEN) as values:
        golden = {name: torch.from_numpy(values[name]) for name in values}
    got = knn_retrieve(golden['queries'], golden['bank'],
                       golden['bank_labels'], int(golden['k']),
                       int(golden['bank_labels'].max()) + 1)
    assert torch.equal(got, golden['prediction'])


@pytest.mark.parametrize('k', [1, 2, 20, 40])
def test_slow_reference(k, small_blocks):
    queries, bank, labels = data()
    got = knn_retrieve(queries, bank, labels, k, 5)
    assert torch.equal(got, slow(queries, bank, labels, k, 5))
    assert knn_retrieve(queries[:0], bank, labels, k, 5).shape == (0, )
    assert knn_search(queries[:0], bank, k)[1].shape == (0, k)
    bank[38, 1] = torch.nan
    with pytest.raises(ValueError, match='NaN'):
        knn_search(queries, bank, k)


def test_equally_near_neighbours_of_smaller_classes_are_nearer(small_blocks):
    """Thirty times the same: two neighbours are of the smallest class."""
    bank = torch.ones(30, 2)
    labels = torch.arange(30) % 3 + 1
    labels[17] = labels[29] = 0
    for order in (torch.arange(30), torch.arange(29, -1, -1)):
        got = knn_retrieve(
            torch.ones(9, 2), bank[order], labels[order], 2, 4)
        assert got.tolist() == [0] * 9


def test_memory_is_that_of_blocks():
    """No matrix is larger than a block, however large the bank."""
    queries, bank, labels = data(600, 70000)
    peaks = [
        peak_bytes(lambda n=n: knn_retrieve(queries, bank[:n], labels[:n], 20,
                                            5)) for n in (20000, 70000)
    ]
    assert peaks[1] < 1.1 * peaks[0] < 8 * knn._QUERIES * knn._ENTRIES * 4


@pytest.mark.parametrize('k', [1, 4, 9, 60])
@pytest.mark.parametrize('order', [
    torch.arange(60), torch.arange(59, -1, -1), torch.arange(60) * 23 % 60,
    torch.arange(60) // 20], ids=['falling', 'rising', 'mixed', 'equal'])
def test_nearer_ones_of_later_blocks(small_blocks, k, order):
    """Entries of a block are all nearer than those before, none, or some."""
    cosines = torch.linspace(0.9, -0.9, 60)[order]
    bank = torch.stack([cosines, (1 - cosines.square()).sqrt()], dim=1)
    got, rows = knn_search(torch.tensor([[2., 0.]]).expand(9, -1), bank, k)
    wanted, index = cosines.sort(descending=True, stable=True)
    torch.testing.assert_close(got, wanted[:k].expand(9, -1))
    assert torch.equal(rows, index[:k].expand(9, -1))
