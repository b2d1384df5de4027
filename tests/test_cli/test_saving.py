import errno
import os

import pytest
from mmengine.config import Config
from mmengine.hooks import CheckpointHook

from mmhierseg._base.errors import UserError
from mmhierseg.cli.saving import report_disk_full, with_atomic_checkpoints

OURS = 'mmhierseg.AtomicCheckpointHook'


@pytest.mark.parametrize('name', [
    'CheckpointHook', 'mmengine.CheckpointHook',
    'mmengine.hooks.CheckpointHook', CheckpointHook
])
def test_hook_is_exchanged(name):
    hook = dict(type=name, interval=5, by_epoch=False)
    cfg = Config(dict(default_hooks=dict(checkpoint=hook, timer=None),
                      custom_hooks=[hook, dict(type='EMAHook'), object()]))
    changed = with_atomic_checkpoints(cfg)
    assert cfg.default_hooks.checkpoint == cfg.custom_hooks[0] == hook
    for hook in (changed.default_hooks.checkpoint, changed.custom_hooks[0]):
        assert hook == dict(type=OURS, interval=5, by_epoch=False)
    assert changed.default_hooks.timer is None
    assert changed.custom_hooks[1] == dict(type='EMAHook')


@pytest.mark.parametrize('hook', [None, dict(type='MyCheckpointHook')])
def test_what_is_left_alone(hook):
    cfg = Config(dict(default_hooks=dict(checkpoint=hook)))
    assert with_atomic_checkpoints(cfg).default_hooks.checkpoint == hook


def test_hook_that_the_runner_would_add():
    assert with_atomic_checkpoints(Config()).default_hooks == dict(
        checkpoint=dict(type=OURS))


@pytest.mark.parametrize('number', [
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_full_disk_is_told(number, tmp_path):
    with pytest.raises(UserError, match=r"cannot write 'a/b': .*--resume"):
        with report_disk_full(str(tmp_path)):
            raise OSError(number, os.strerror(number), 'a/b')
    with pytest.raises(UserError, match=r'\d\.\d MiB are free; else'):
        with report_disk_full(str(tmp_path)):
            raise OSError(number, os.strerror(number))


def test_other_errors_keep_their_traceback(tmp_path):
    with pytest.raises(FileNotFoundError):
        with report_disk_full(str(tmp_path)):
            open(tmp_path / 'none')
