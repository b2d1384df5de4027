"""Checkpoints of which the last is always whole."""

import os.path as osp
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from mmengine.dist import is_main_process
from mmengine.fileio import BaseStorageBackend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from mmhierseg._base.atomic import saving_atomically, write_atomically
from mmhierseg.registry import HOOKS

__all__ = ['AtomicCheckpointHook']


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """MMEngine's CheckpointHook, in an order in which nothing can be lost.

    The base class deletes what is out of date (``max_keep_ckpts``, the best
    checkpoint before), then overwrites the checkpoint and the file
    ``last_checkpoint`` in place. A full disk or a killed process in between
    leaves damaged files, and with ``max_keep_ckpts=1`` no other. Here each
    file is written whole or not at all
    (:func:`mmhierseg._base.atomic.write_atomically`), ``last_checkpoint``
    names a checkpoint once it is there, and what is out of date is deleted
    last. So there must be space for one checkpoint more.

    The arguments are those of :class:`mmengine.hooks.CheckpointHook`. Local
    files are meant; what other backends, and strategies with a format of
    their own (DeepSpeed), write is as they write it.
    """

    def _save_checkpoint_with_step(self, runner: Runner, step: int,
                                   meta: Dict[str, Any]) -> None:
        """Save, say so in ``last_checkpoint``, delete, in this order.

        In place of the base class's method, not around it: that one writes
        ``last_checkpoint`` by a plain ``open``.
        """
        # The numbers of what is kept are a part of the checkpoint.
        outdated = self._keep(runner, step)
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        with saving_atomically():
            runner.save_checkpoint(
                self.out_dir,
                name,
                self.file_client_args,
                save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler,
                meta=meta,
                by_epoch=self.by_epoch,
                backend_args=self.backend_args,
                **self.args)
        if not is_main_process():
            return
        write_atomically(
            osp.join(runner.work_dir, 'last_checkpoint'),
            str(self.last_ckpt).encode())
        if outdated is not None:
            _remove(self.file_backend,
                    self.file_backend.join_path(self.out_dir, outdated))

    def _save_best_checkpoint(self, runner: Runner,
                              metrics: Dict[str, Any]) -> None:
        """Delete the best checkpoint before only when the new one is there."""
        # A validation alone saves nothing, and there is no folder to save to.
        if not self.save_best or not hasattr(self, 'file_backend'):
            return
        with self._removing_last(), saving_atomically():
            super()._save_best_checkpoint(runner, metrics)

    def _keep(self, runner: Runner, step: int) -> Optional[str]:
        """Count a checkpoint as kept; name of the one that it replaces."""
        if self.max_keep_ckpts <= 0 or step in list(self.keep_ckpt_ids)[-1:]:
            return None
        outdated = None
        if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
            outdated = self.filename_tmpl.format(self.keep_ckpt_ids.popleft())
        self.keep_ckpt_ids.append(step)
        runner.message_hub.update_info('keep_ckpt_ids',
                                       list(self.keep_ckpt_ids))
        return outdated

    @contextmanager
    def _removing_last(self) -> Iterator[None]:
        """Put off what is removed inside to the end, if it is reached."""
        backend = self.file_backend
        self.file_backend = later = _RemovesLater(backend)
        try:
            yield
        finally:
            self.file_backend = backend
        # Of the same name, when validation is repeated after resuming.
        best = [getattr(self, 'best_ckpt_path', None)]
        best += getattr(self, 'best_ckpt_path_dict', {}).values()
        for remove, path in later.removals:
            if path not in best:
                remove(path)


class _RemovesLater:
    """A storage backend that only notes down what is to be removed."""

    def __init__(self, backend: BaseStorageBackend) -> None:
        self._backend = backend
        self.removals: List[Tuple[Callable[[str], None], str]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        self.removals.append((self._backend.remove, path))

    def rmtree(self, path: str) -> None:
        self.removals.append((self._backend.rmtree, path))


def _remove(backend: BaseStorageBackend, path: str) -> None:
    if backend.isfile(path):
        backend.remove(path)
    elif backend.isdir(path):  # of DeepSpeed, of sharded states
        backend.rmtree(path)
