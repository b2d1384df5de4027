"""Resumed runs draw what uninterrupted ones do: details.

Whole recipes: `tests/test_resume.py`.
"""

import pickle

import numpy as np
import pytest
import torch
from helpers.distributed import run_on_two_processes
from helpers.training import (
    Draws,
    record_two_processes,
    recorded_iterations,
    recorded_run,
)
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmengine.hooks import Hook
from torch.utils.data import BatchSampler, DataLoader, default_collate

from mmhierseg.engine.hooks.random_state_hook import (
    BatchSeeds,
    ResumableBatches,
)


def test_validation_does_not_disturb(tmp_path):
    """It comes after the checkpoint, so a resumed run is without it."""
    whole = recorded_run(tmp_path / 'a', val=True)
    assert torch.equal(whole, recorded_run(tmp_path / 'b'))
    resumed = recorded_run(
        tmp_path / 'c',
        val=True,
        resume=True,
        load_from=str(tmp_path / 'a/epoch_1.pth'))
    assert torch.equal(resumed, whole[2:])


@pytest.mark.parametrize('options, differs', [
    (dict(workers=1), True),
    (dict(workers=1, persistent=False), True),
    # With a custom worker_init_fn, or MMEngine's without the hook, it repeats.
    (dict(workers=1, own_init=True), False),
    (dict(workers=1, hook=False, persistent=False), False),
], ids=str)
def test_augmentation_of_two_epochs(options, differs, tmp_path):
    items = recorded_run(tmp_path, epochs=2, **options)[:, :8].reshape(-1, 4)
    assert sorted(items[:4, 0]) == sorted(items[4:, 0]) == [0, 1, 2, 3]
    assert items[:, 1:].unique().numel() == (1 + differs) * 4 * 3


def test_fine_tuning_draws_its_own_numbers(tmp_path):
    expected = recorded_run(tmp_path / 'a', epochs=1)
    tuned = recorded_run(
        tmp_path / 'b', epochs=1, load_from=str(tmp_path / 'a/epoch_1.pth'))
    assert torch.equal(tuned, expected)


@pytest.mark.parametrize('options, start', [
    (dict(val=True), 3),
    (dict(val=True, workers=2), 4),
    pytest.param(
        dict(sampler='DefaultSampler', workers=3, persistent=False), 3,
        marks=pytest.mark.slow),
], ids=str)
def test_iterations_are_resumed(options, start, tmp_path):
    """In the middle of a later pass over the dataset, and at its end."""
    whole = recorded_iterations(tmp_path / 'a', seed=None, **options)
    items = whole[:, :8].reshape(-1, 4)
    assert sorted(items[:4, 0]) == sorted(items[4:8, 0]) == [0, 1, 2, 3]
    assert items[:, 1:].unique().numel() == 7 * 2 * 3
    # The open seed of the resumed run is another one at first.
    np.random.seed(start)
    # The random numbers of a batch are its own, with any number of workers.
    options = dict(options, workers=min(1, options.get('workers', 0)))
    resumed = recorded_iterations(
        tmp_path / 'b',
        seed=None,
        resume=True,
        load_from=str(tmp_path / f'a/iter_{start}.pth'),
        **options)
    assert torch.equal(resumed, whole[start:])


def test_best_checkpoint_holds_the_states(tmp_path):
    """It is saved after the validation, where no other is saved."""
    whole = recorded_iterations(
        tmp_path / 'a',
        val=True,
        checkpoint=dict(interval=100, save_best='score', rule='greater'))
    best = str(tmp_path / 'a/best_score_iter_2.pth')
    resumed = recorded_iterations(tmp_path / 'b', resume=True, load_from=best)
    assert torch.equal(resumed, whole[2:])


class SavesInBetween(Hook):

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        runner.save_checkpoint(
            runner.work_dir, f'{batch_idx}.pth', by_epoch=False)


def test_no_states_of_another_iteration(tmp_path):
    recorded_iterations(
        tmp_path, iterations=2, val=True, other_hooks=[SavesInBetween()])
    for name, states in [('0.pth', False), ('1.pth', False),
                         ('iter_1.pth', True), ('iter_2.pth', True)]:
        checkpoint = torch.load(tmp_path / name, weights_only=True)
        assert ('random_states' in checkpoint) == states


@pytest.mark.parametrize('change, words', [
    (lambda c: c.pop('random_states'), 'checkpoint holds none'),
    (lambda c: c['random_states']['ranks'].append({}),
     'of 1 processes are needed, the checkpoint holds those of 2'),
])
def test_missing_states_are_logged(change, words, tmp_path):
    recorded_run(tmp_path / 'a', epochs=1)
    path = tmp_path / 'a/epoch_1.pth'
    checkpoint = torch.load(path, weights_only=True)
    change(checkpoint)
    torch.save(checkpoint, path)
    recorded_run(tmp_path / 'b', epochs=2, resume=True, load_from=str(path))
    log, = (tmp_path / 'b').rglob('*.log')
    assert words in log.read_text()


@pytest.mark.slow
@pytest.mark.distributed
def test_each_process_continues_with_its_own_states(tmp_path):
    run_on_two_processes(record_two_processes, tmp_path)
    ranks = [torch.load(tmp_path / f'{rank}.pth') for rank in range(2)]
    for runs in ranks:
        for whole, resumed in zip(runs[::2], runs[1::2]):
            assert len(whole) == 3 and torch.equal(resumed, whole[1:])
    # Augmentation and drop path, for example, are drawn by each process for
    # itself.
    draws = torch.stack([torch.stack(runs[::2]) for runs in ranks])
    assert not (draws[0] == draws[1])[..., [1, 2, 3, 5, 6, 7, 8]].any()


class Noted(Draws):
    """Notes what was loaded."""

    def __init__(self):
        self.loaded = []

    def __getitem__(self, index):
        self.loaded.append(index)
        return super().__getitem__(index)['inputs']


class Pairs(BatchSampler):
    """A custom class."""


def batches_of(sampler, kind, **options):
    """Batches and their loader."""
    dataset = Noted()
    loader = DataLoader(
        dataset,
        batch_sampler=kind(sampler(dataset, shuffle=True, seed=3), 2, True))
    return ResumableBatches(loader, None, **options), loader


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


def test_spawned_workers_share_one_object():
    seeds = BatchSeeds(default_collate, seed=5, rank=0)
    collate_fn, init_fn = pickle.loads(
        pickle.dumps((seeds, seeds.init_worker)))
    assert init_fn.__self__ is collate_fn
