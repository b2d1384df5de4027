"""A run that ends at any moment leaves a checkpoint to continue from."""

import errno
import os
from uuid import uuid4

import pytest
import torch
from helpers.training import Draws, Recorder
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.fileio import LocalBackend, get_file_backend, register_backend
from mmengine.runner import Runner

from mmhierseg.checkpoints.match import read_safely
from mmhierseg.cli.resume import find_latest


class Rises(BaseMetric):
    """Improves in each of the first three epochs, then not."""

    def __init__(self):
        super().__init__()
        self.values = iter([1., 2., 3., 0., 0.])

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        return dict(acc=next(self.values))


def make_runner(folder, epochs=4, hook='mmhierseg.AtomicCheckpointHook',
                best=None, iterations=False, load_from=None, **options):
    """Two iterations an epoch, a checkpoint after each epoch."""
    read_safely()
    loader = dict(
        batch_size=2,
        num_workers=0,
        dataset=Draws(),
        collate_fn=dict(type='default_collate'))
    samplers = [
        dict(type='InfiniteSampler' if endless else 'DefaultSampler')
        for endless in (iterations, False)
    ]
    training = dict(by_epoch=True, max_epochs=epochs)
    if iterations:
        training = dict(by_epoch=False, max_iters=2 * epochs, val_interval=2)
        options.update(by_epoch=False, interval=2)
    checkpoint = dict(type=hook, interval=1, save_best=best)
    return Runner(
        Recorder(),
        str(folder),
        train_cfg=training,
        train_dataloader=dict(loader, sampler=samplers[0]),
        val_dataloader=dict(loader, sampler=samplers[1]),
        val_cfg=dict(),
        val_evaluator=Evaluator([Rises()]),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(checkpoint={**checkpoint, **options}),
        resume=load_from is not None,
        load_from=load_from,
        # Of another run in the same second, MMEngine would take the log.
        experiment_name=uuid4().hex)


def train(folder, **options):
    runner = make_runner(folder, **options)
    runner.train()
    return runner


def checkpoints(folder):
    return {path.name for path in folder.glob('*.pth')}


@pytest.mark.parametrize('options', [
    dict(max_keep_ckpts=1, best=['acc'], published_keys=['state_dict']),
    dict(max_keep_ckpts=2, iterations=True, best='auto'),
    dict(interval=3, save_last=False),
], ids=str)
def test_leaves_what_the_base_class_leaves(options, tmp_path):
    ours, theirs = tmp_path / 'ours', tmp_path / 'theirs'
    hubs = []
    for folder, options['hook'] in ((ours, 'mmhierseg.AtomicCheckpointHook'),
                                    (theirs, 'CheckpointHook')):
        hub = train(folder, **options).message_hub.runtime_info
        hubs.append({
            key: str(value).replace(str(folder), '')
            for key, value in hub.items() if 'ckpt' in key or 'best' in key
        })
        for path in folder.glob('*-*.pth'):  # published, with a hash
            path.rename(folder / path.name.split('-')[0])
    assert checkpoints(ours) == checkpoints(theirs)
    assert hubs[0] == hubs[1] and 'last_ckpt' in hubs[0]
    latest = [(d / 'last_checkpoint').read_text() for d in (ours, theirs)]
    assert latest[0] == latest[1].replace(str(theirs), str(ours))


class Interrupts:
    """End the run when a file is written, named or deleted, the n-th time."""

    def __init__(self, monkeypatch, error, n=None):
        self.changes = []
        self.error, self.n = error, n
        for name in ('fsync', 'replace', 'remove'):
            monkeypatch.setattr(os, name, self.watched(getattr(os, name)))

    def watched(self, change):

        def watch(*args):
            if str(args[0]).endswith('.log'):
                return change(*args)
            self.changes.append((change.__name__, *args))
            if len(self.changes) == self.n:
                raise self.error
            return change(*args)

        return watch


OPTIONS = dict(max_keep_ckpts=1, best='acc', epochs=2)
# Twice (checkpoint is written, best is written, checkpoint again with its
# name), and the first epoch's two are deleted.
CHANGES = 2 * 6 + 2


FULL = OSError(errno.ENOSPC, 'No space left on device')


@pytest.mark.parametrize('error, n', [
    *[(FULL, n) for n in range(1, CHANGES + 1)],
    (KeyboardInterrupt(), 8),
])
def test_interrupted_at_any_change(error, n, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        watch = Interrupts(patch, error, n)
        with pytest.raises(type(error)):
            train(tmp_path, **OPTIONS)
    assert len(watch.changes) >= n
    for path in tmp_path.glob('*.pth'):  # no file is there in part
        assert torch.load(path)['meta']['iter'] in (2, 4)
    assert not list(tmp_path.glob('*.part'))
    latest = find_latest(str(tmp_path))
    if n > 2:  # the first checkpoint and last_checkpoint are there
        assert latest.note is None
        # Its best one is there, too.
        hub = latest.checkpoint['message_hub']['runtime_info']
        best = hub.get('best_ckpt')
        assert best is None or os.path.isfile(best)
    epoch = latest.checkpoint['meta']['epoch'] if latest else 0
    runner = train(tmp_path, load_from=latest and latest.path, **OPTIONS)
    assert runner.epoch == 2
    assert len(runner.model.seen) == 2 * (2 - epoch)
    assert 'epoch_2.pth' in checkpoints(tmp_path)


def test_validation_alone_saves_nothing(tmp_path):
    assert make_runner(tmp_path, best='acc').val() == dict(acc=1.)
    assert checkpoints(tmp_path) == set()


def test_backend_of_others_is_used(tmp_path):
    """Local files are MMEngine's again afterwards."""

    class Own(LocalBackend):
        paths = []

        def put(self, obj, filepath):
            self.paths.append(filepath)
            super().put(obj, filepath)

    train(tmp_path / '0', epochs=1)
    assert type(get_file_backend('.')) is LocalBackend
    register_backend('local', Own, force=True, prefixes='')
    try:
        train(tmp_path / '1', epochs=1)
        assert type(get_file_backend('.')) is Own and len(Own.paths) == 1
    finally:
        register_backend('local', LocalBackend, force=True, prefixes='')
