"""Batches of training by iterations: skipped and seeded by their number."""

import pickle

import pytest
import torch
from helpers.training import Draws
from mmengine.dataset import DefaultSampler, InfiniteSampler
from torch.utils.data import BatchSampler, DataLoader, default_collate

from mmhierseg.engine.hooks.random_state_hook import (
    BatchSeeds,
    ResumableBatches,
)


class Noted(Draws):
    """Notes what was loaded."""

    def __init__(self):
        self.loaded = []

    def __getitem__(self, index):
        self.loaded.append(index)
        return super().__getitem__(index)['inputs']


class Pairs(BatchSampler):
    """A custom class."""


def batches_of(sampler, kind, workers=0, rank=0, **options):
    """Batches, seeded if there are workers, and their loader."""
    dataset = Noted()
    loader = DataLoader(
        dataset, num_workers=workers,
        batch_sampler=kind(sampler(dataset, shuffle=True, seed=3), 2, True))
    seeds = None
    if workers:
        seeds = BatchSeeds(default_collate, seed=5, rank=rank)
        loader.collate_fn, loader.worker_init_fn = seeds, seeds.init_worker
    return ResumableBatches(loader, seeds, **options), loader


def take(batches, number):
    return torch.stack([next(batches) for _ in range(number)])


@pytest.mark.parametrize('kind, loaded', [
    ((InfiniteSampler, BatchSampler), 3),
    ((InfiniteSampler, Pairs), 8),
    ((DefaultSampler, BatchSampler), 8),
])
def test_skips(kind, loaded):
    """With two batches in a pass over the dataset."""
    whole = take(batches_of(*kind)[0], 8)[..., 0]
    batches, loader = batches_of(*kind)
    batches.skip_iter(5)
    assert torch.equal(take(batches, 3)[..., 0], whole[5:])
    assert len(loader.dataset.loaded) == 2 * loaded
    # OpenMMLab's MMEngine makes an iterator at once, and draws what it skips.
    batches, loader = batches_of(*kind, num_dummies=5)
    next(iter(loader))
    assert [next(batches) for _ in range(5)] == [None] * 5
    if loaded == 3:
        assert torch.equal(take(batches, 3)[..., 0], whole[5:])


def test_batches_have_their_own_random_numbers():
    """With any number of workers, in any pass; each rank its own."""
    kind = DefaultSampler, Pairs
    whole = take(batches_of(*kind, workers=2)[0], 8)
    assert whole[..., 1:].unique().numel() == 8 * 2 * 3
    batches, loader = batches_of(*kind, workers=1)
    batches.skip_iter(4)
    assert torch.equal(take(batches, 4), whole[4:])
    other = take(batches_of(*kind, workers=1, rank=1)[0], 2)
    assert not (other == whole[:2])[..., 1:].any()
    # Spawned workers get both functions in one piece.
    collate_fn, init_fn = pickle.loads(
        pickle.dumps((loader.collate_fn, loader.worker_init_fn)))
    assert init_fn.__self__ is collate_fn
