"""Batches of training by iterations: skipped and seeded by their number."""

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

    def __init__(self):
        self.loaded = []

    def __len__(self):
        return 7

    def __getitem__(self, index):
        self.loaded.append(index)
        return torch.tensor([
            index, random.random(), np.random.rand(), torch.rand(1).item()
        ], dtype=torch.float64)


class Pairs(BatchSampler):
    """A custom class."""


def loader_of(sampler=InfiniteSampler, batches=BatchSampler, workers=0,
              **options):
    dataset = Squares()
    batches = batches(sampler(dataset, shuffle=True, seed=3), 2, True)
    return DataLoader(
        dataset, num_workers=workers, batch_sampler=batches, **options)


def seeded(loader, rank=0):
    """Batches whose workers are seeded."""
    seeds = BatchSeeds(loader.collate_fn, seed=5, rank=rank)
    loader.collate_fn, loader.worker_init_fn = seeds, seeds.init_worker
    return ResumableBatches(loader, seeds)


def take(batches, number):
    return torch.stack([next(batches) for _ in range(number)])


ENDLESS, CUSTOM, FINITE = dict(), dict(batches=Pairs), dict(
    sampler=DefaultSampler)


@pytest.mark.parametrize('start', [0, 3, 5])
@pytest.mark.parametrize('kind', [ENDLESS, CUSTOM, FINITE], ids=str)
def test_skips(kind, start):
    """With three batches in a pass over the dataset."""
    whole = take(ResumableBatches(loader_of(**kind)), 8)[..., 0]
    if kind is not FINITE:  # the order is MMEngine's own
        expected = take(iter(loader_of(**kind)), 8)[..., 0]
        assert torch.equal(whole, expected)
    loader = loader_of(**kind)
    batches = ResumableBatches(loader)
    batches.skip_iter(start)
    assert torch.equal(take(batches, 8 - start)[..., 0], whole[start:])
    loaded = 8 - start if kind is ENDLESS else 8
    assert len(loader.dataset.loaded) == 2 * loaded


def test_mmengine_that_cannot_skip(monkeypatch):
    """OpenMMLab's makes an iterator at once, and draws what it skips."""
    if hasattr(InfiniteSampler, 'skip'):
        monkeypatch.delattr(InfiniteSampler, 'skip')
    whole = take(ResumableBatches(loader_of()), 8)[..., 0]
    loader = loader_of(workers=2)
    next(iter(loader))
    batches = ResumableBatches(loader, num_dummies=5)
    assert [next(batches) for _ in range(5)] == [None] * 5
    assert torch.equal(take(batches, 3)[..., 0], whole[5:])


def test_prepares_right_before_the_first_draw():
    """After the loader's iterator, which draws a number, too."""

    def prepare():
        for module in (np.random, random):
            module.seed(4)
        torch.manual_seed(4)

    whole = ResumableBatches(loader_of())
    take(whole, 2)
    prepare()
    expected = take(whole, 3)
    resumed = ResumableBatches(loader_of(), before_first=prepare)
    resumed.skip_iter(2)
    assert torch.equal(take(resumed, 3), expected)


@pytest.mark.parametrize('kind, options', [
    (CUSTOM, dict(workers=1)),
    (FINITE, dict(workers=3, persistent_workers=True)),
], ids=str)
def test_batches_have_their_own_random_numbers(kind, options):
    """With any number of workers, in any pass; each rank its own."""
    whole = take(seeded(loader_of(**kind, workers=2)), 8)
    assert whole[..., 1:].unique().numel() == 8 * 2 * 3
    batches = seeded(loader_of(**kind, **options))
    batches.skip_iter(4)
    assert torch.equal(take(batches, 4), whole[4:])
    other = take(seeded(loader_of(**kind, **options), rank=1), 2)
    assert not (other == whole[:2])[..., 1:].any()


def test_workers_may_be_spawned():
    """They get collate_fn and worker_init_fn in one piece."""
    loader = loader_of(workers=1)
    seeded(loader)
    loader.collate_fn.first = 3
    arguments = loader.collate_fn, loader.worker_init_fn
    collate_fn, init_fn = pickle.loads(pickle.dumps(arguments))
    assert init_fn.__self__ is collate_fn and collate_fn.first == 3
