from fractions import Fraction
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


def test_no_queries_and_nan(small_blocks):
    queries, bank, labels = data()
    assert knn_retrieve(queries[:0], bank, labels, 2, 5).shape == (0, )
    assert knn_search(queries[:0], bank, 2)[1].shape == (0, 2)
    bank[38, 1] = torch.nan
    with pytest.raises(ValueError, match='NaN'):
        knn_search(queries, bank, 2)


def exact(queries, bank, labels, k):
    """Majority classes of integer vectors, by rational numbers."""
    result = []
    for query in queries.tolist():
        def key(row, query=query):
            product = sum(x * y for x, y in zip(query, bank[row].tolist()))
            square = int(bank[row].square().sum())
            return (-Fraction(product * abs(product), max(square, 1)),
                    int(labels[row]))
        votes = [key(row)[1] for row in sorted(range(len(bank)), key=key)[:k]]
        result.append(max(sorted(set(votes)), key=votes.count))
    return torch.tensor(result)


@pytest.mark.parametrize('dtype', [torch.float16, torch.float32,
                                   torch.float64])
@pytest.mark.parametrize('k', [1, 2, 9, 40, 150])
def test_slow_reference(k, dtype, small_blocks):
    """Smaller classes win ties, which are many: multiples and zeros."""
    generator = torch.Generator().manual_seed(k)
    queries, bank = (
        torch.randint(-2, 3, (number, 3), generator=generator)
        for number in (30, 150))
    bank *= torch.randint(1, 8, (150, 1), generator=generator)
    labels = torch.randint(0, 5, (150, ), generator=generator)
    expected = exact(queries, bank, labels, k)
    for _ in range(3):
        order = torch.randperm(150, generator=generator)
        got = knn_retrieve(queries.to(dtype), bank[order].to(dtype),
                           labels[order], k, 5)
        assert torch.equal(got, expected)


@pytest.mark.parametrize('precision', ['highest', 'medium'])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_order_and_batch_have_no_effect(dtype, precision, monkeypatch):
    """Also with products in bfloat16, and more copies than candidates."""
    monkeypatch.setattr(torch, 'get_float32_matmul_precision',
                        lambda: precision)
    generator = torch.Generator().manual_seed(0)
    kinds = torch.randn(40, 67, generator=generator, dtype=dtype)
    bank = kinds[torch.randint(0, 40, (1003, ), generator=generator)]
    # Neighbours of half of the queries are clear.
    bank[500:] = torch.randn(503, 67, generator=generator, dtype=dtype)
    labels = torch.randint(0, 6, (1003, ), generator=generator)
    queries = torch.cat([kinds, bank[500:540]]) * 3 + 0.1
    expected = knn_retrieve(queries, bank, labels, 20, 6)
    cosines, rows = knn_search(queries, bank, 20)
    order = torch.randperm(1003, generator=generator)
    assert torch.equal(
        knn_retrieve(queries, bank[order], labels[order], 20, 6), expected)
    assert torch.equal(knn_search(queries, bank[order], 20)[0], cosines)
    assert (cosines[:, :-1] >= cosines[:, 1:]).all()
    for part in (slice(1), slice(11, 14)):
        got = knn_search(queries[part], bank, 20)
        assert torch.equal(got[0], cosines[part])
        assert torch.equal(got[1], rows[part])
        assert torch.equal(
            knn_retrieve(queries[part], bank, labels, 20, 6), expected[part])
    wanted = torch.cosine_similarity(
        queries.double()[:, None], bank.double()[rows], dim=2)
    torch.testing.assert_close(cosines, wanted.to(dtype), rtol=0,
                               atol=max(torch.finfo(dtype).eps, 1e-12))
    assert (knn_search(bank, bank, 1)[0] == 1).all()


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
