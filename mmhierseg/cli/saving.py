"""What a run needs so that a full disk takes nothing from it."""

import errno
from contextlib import contextmanager
from copy import deepcopy
from traceback import clear_frames
from typing import Iterator

from mmengine.config import Config

from mmhierseg._base.atomic import free_space
from mmhierseg._base.errors import UserError

__all__ = ['report_disk_full', 'with_atomic_checkpoints']

# No space; the user's quota; the limit to the size of a file (`ulimit -f`).
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def with_atomic_checkpoints(cfg: Config) -> Config:
    """Have every checkpoint written whole or not at all.

    MMEngine's CheckpointHook, which configs of all packages name and which
    the runner adds where a config names none, is exchanged for
    ``AtomicCheckpointHook``. Other classes are left alone.

    Args:
        cfg (Config): Config of a runner.

    Returns:
        Config: A changed copy.

    Example:
        >>> cfg = with_atomic_checkpoints(Config(dict(custom_hooks=[
        ...     dict(type='mmengine.CheckpointHook', interval=5)])))
        >>> cfg.custom_hooks[0].type, cfg.custom_hooks[0].interval
        ('mmhierseg.AtomicCheckpointHook', 5)
        >>> cfg.default_hooks.checkpoint.type
        'mmhierseg.AtomicCheckpointHook'
    """
    cfg = deepcopy(cfg)
    cfg.default_hooks = cfg.get('default_hooks') or {}
    cfg.default_hooks.setdefault('checkpoint', dict(type='CheckpointHook'))
    for hook in [*cfg.default_hooks.values(),
                 *(cfg.get('custom_hooks') or [])]:
        if not isinstance(hook, dict):  # left out, or an object
            continue
        # As a string, with or without a scope, or as the class.
        name = hook.get('type')
        name = getattr(name, '__name__', name)
        if isinstance(name, str) and name.split('.')[-1] == 'CheckpointHook':
            hook['type'] = 'mmhierseg.AtomicCheckpointHook'
    return cfg


@contextmanager
def report_disk_full(work_dir: str) -> Iterator[None]:
    """Turn what a full disk raises into a message.

    Args:
        work_dir (str): Folder of the run.

    Yields:
        None: For the training.

    Raises:
        UserError: If the disk is full, in place of the ``OSError``.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        # Only some errors know their file.
        message = (f'cannot write {error.filename!r}: {error.strerror}'
                   if error.filename else
                   f'{error.strerror} (in {work_dir!r}, {free_space(work_dir)}'
                   '; else see where temporary files are, and /dev/shm)')
        # The frames of the traceback would keep the model alive.
        clear_frames(error.__traceback__)
        raise UserError(
            f'{message}. The checkpoints before are whole. Make room, and go '
            'on by the same command with --resume') from None
