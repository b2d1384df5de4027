import pickle
import random

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler, InfiniteSampler
from torch.utils.data import BatchSampler, DataLoader, Dataset

from mmhierseg.engine.hooks.random_state_hook import (
    BatchSeeds,
    ResumableBatches,
)


class Squares(Dataset):
    """Index and a number of each generator; notes what was loaded."""

    def __init__(self, length=7):
        self.length, self.loaded = length, []

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        self.loaded.append(index)
        return torch.tensor([
            index, random.random(), np.random.rand(), torch.rand(1).item()
        ], dtype=torch.float64)


class Pairs(BatchSampler):
    """A custom class."""


def loader_of(sampler=InfiniteSampler, batches=None, workers=0, **options):
    dataset = Squares()
    sampler = sampler(dataset, shuffle=True, seed=3)
    if batches is None:
        options.update(sampler=sampler, batch_size=2, drop_last=True)
    else:
        options['batch_sampler'] = batches(sampler, 2, drop_last=True)
    return DataLoader(dataset, num_workers=workers, **options)


def seeded(loader, rank=0):
    seeds = BatchSeeds(loader.collate_fn, seed=5, rank=rank)
    loader.collate_fn, loader.worker_init_fn = seeds, seeds.init_worker
    return seeds


def take(batches, number):
    return torch.stack([next(batches) for _ in range(number)])


KINDS = [
    dict(),
    dict(batches=BatchSampler),
    dict(batches=Pairs),
    dict(sampler=DefaultSampler),
]


@pytest.mark.parametrize('start', [0, 3, 5])
@pytest.mark.parametrize('kind', KINDS, ids=str)
def test_skips(kind, start):
    """With three batches in a pass over the dataset."""
    whole = take(ResumableBatches(loader_of(**kind)), 8)[..., 0]
    # MMEngine's own order, with a sampler that has no end.
    if 'sampler' not in kind:
        expected = take(iter(loader_of(**kind)), 8)[..., 0]
        assert torch.equal(whole, expected)
    loader = loader_of(**kind)
    batches = ResumableBatches(loader)
    batches.skip_iter(start)
    rest = take(batches, 8 - start)[..., 0]
    assert torch.equal(rest, whole[start:])
    skips = kind.get('batches') is not Pairs and 'sampler' not in kind
    assert len(loader.dataset.loaded) == 2 * (8 - start * skips)


@pytest.mark.parametrize('workers', [0, 2])
def test_mmengine_that_cannot_skip(workers, monkeypatch):
    """OpenMMLab's makes an iterator at once, and draws what it skips."""
    if hasattr(InfiniteSampler, 'skip'):
        monkeypatch.delattr(InfiniteSampler, 'skip')
    whole = take(ResumableBatches(loader_of()), 8)[..., 0]
    loader = loader_of(workers=workers)
    next(iter(loader))
    batches = ResumableBatches(loader, num_dummies=5)
    assert [next(batches) for _ in range(5)] == [None] * 5
    assert torch.equal(take(batches, 3)[..., 0], whole[5:])


def test_prepares_right_before_the_first_draw():
    """After the loader's iterator, which draws a number, too."""
    whole = ResumableBatches(loader_of())
    take(whole, 2)
    torch.manual_seed(4), np.random.seed(4), random.seed(4)
    expected = take(whole, 3)
    calls = []

    def prepare():
        calls.append(torch.manual_seed(4))
        np.random.seed(4), random.seed(4)

    resumed = ResumableBatches(loader_of(), before_first=prepare)
    resumed.skip_iter(2)
    assert torch.equal(take(resumed, 3), expected)
    assert len(calls) == 1


@pytest.mark.parametrize('options', [
    dict(workers=1),
    dict(workers=3, persistent_workers=True),
], ids=str)
@pytest.mark.parametrize('kind', KINDS[2:], ids=str)
def test_batches_have_their_own_random_numbers(kind, options):
    """Whatever the number of workers, also in later passes."""
    loader = loader_of(**kind, workers=2)
    whole = take(ResumableBatches(loader, seeded(loader)), 8)
    assert whole[..., 1:].unique().numel() == 8 * 2 * 3
    loader = loader_of(**kind, **options)
    batches = ResumableBatches(loader, seeded(loader))
    batches.skip_iter(4)
    assert torch.equal(take(batches, 4), whole[4:])


def test_ranks_draw_different_numbers():
    draws = []
    for rank in range(2):
        loader = loader_of(workers=1)
        draws.append(take(ResumableBatches(loader, seeded(loader, rank)), 2))
    assert not (draws[0] == draws[1])[..., 1:].any()


def test_workers_may_be_spawned():
    """They get collate_fn and worker_init_fn in one piece."""
    loader = loader_of(workers=1)
    seeds = seeded(loader)
    seeds.first = 3
    arguments = loader.collate_fn, loader.worker_init_fn
    collate_fn, init_fn = pickle.loads(pickle.dumps(arguments))
    assert init_fn.__self__ is collate_fn and collate_fn.first == 3
