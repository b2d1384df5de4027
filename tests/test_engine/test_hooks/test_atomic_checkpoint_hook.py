"""A run that ends at any moment leaves a checkpoint to continue from."""

import errno
import os

import pytest
import torch
from helpers.training import Nothing, recorded_iterations, recorded_run
from mmengine.fileio import LocalBackend, get_file_backend, register_backend

from mmhierseg.checkpoints import read_checkpoint
from mmhierseg.cli.resume import find_latest

OURS = 'mmhierseg.AtomicCheckpointHook'


class Rises(Nothing):
    """Improves in each of the first three epochs, then not."""

    def __init__(self):
        super().__init__()
        self.values = iter([1., 2., 3., 0., 0.])

    def compute_metrics(self, results):
        return dict(acc=next(self.values))


def train(folder, epochs=4, hook=OURS, iterations=False, **options):
    """Two iterations an epoch, a checkpoint and a validation after each."""
    checkpoint = dict(
        type=hook, **{key: options.pop(key) for key in list(options)
                      if key not in ('resume', 'load_from')})
    if iterations:
        checkpoint = dict(dict(interval=2), **checkpoint)
        return recorded_iterations(folder, 2 * epochs, val=Rises(), hook=False,
                                   checkpoint=checkpoint, **options)
    return recorded_run(folder, epochs, val=Rises(), hook=False,
                        checkpoint=checkpoint, **options)


def checkpoints(folder):
    return {path.name.split('-')[0] for path in folder.glob('*.pth')}


@pytest.mark.parametrize('options', [
    dict(max_keep_ckpts=1, save_best=['acc'], published_keys=['state_dict']),
    dict(max_keep_ckpts=2, iterations=True, save_best='auto'),
    dict(interval=3, save_last=False),
], ids=str)
def test_leaves_what_the_base_class_leaves(options, tmp_path):
    left = []
    for hook in (OURS, 'CheckpointHook'):
        folder = tmp_path / hook
        train(folder, hook=hook, **options)
        last = (folder / 'last_checkpoint').read_text()
        hub = read_checkpoint(last)['message_hub']['runtime_info']
        known = {
            key: str(value).replace(str(folder), '')
            for key, value in {**hub, 'last_checkpoint': last}.items()
            if 'ckpt' in key or 'best' in key or 'last' in key
        }
        left.append((checkpoints(folder), known))
    assert left[0] == left[1] and 'last_ckpt' in left[0][1]


class Interrupts:
    """End the run when a file is written, named or deleted, the n-th time."""

    def __init__(self, monkeypatch, error, n):
        self.changes = []
        self.error, self.n = error, n
        for name in ('fsync', 'replace', 'remove'):
            monkeypatch.setattr(os, name, self.watched(getattr(os, name)))

    def watched(self, change):

        def watch(*args):
            if str(args[0]).endswith('.log'):
                return change(*args)
            self.changes.append(args)
            if len(self.changes) == self.n:
                raise self.error
            return change(*args)

        return watch


OPTIONS = dict(max_keep_ckpts=1, save_best='acc', epochs=2)
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
    seen = train(tmp_path, resume=latest is not None,
                 load_from=latest and latest.path, **OPTIONS)
    assert len(seen) == 2 * (2 - epoch)
    # Outdated checkpoints that the interrupted run left are deleted.
    left = checkpoints(tmp_path)
    assert {name for name in left if name.startswith('epoch')} == {
        'epoch_2.pth'}
    assert n < CHANGES or left == {'epoch_2.pth', 'best_acc_epoch_2.pth'}


class Own(LocalBackend):
    """A backend of others."""


@pytest.mark.parametrize('backend', [LocalBackend, Own])
def test_backend_is_the_same_afterwards(backend, tmp_path):
    register_backend('local', backend, force=True, prefixes='')
    try:
        train(tmp_path, epochs=1)
        assert type(get_file_backend('.')) is backend
    finally:
        register_backend('local', LocalBackend, force=True, prefixes='')
