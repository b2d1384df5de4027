"""Checkpoints that survive an interruption at any time."""

import os.path as osp
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, get_file_backend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from mmhierseg._base.atomic import AtomicBackend
from mmhierseg.registry import HOOKS

#: Field of the message hub: checkpoints that the new one replaces.
_OUTDATED = 'outdated_checkpoints'


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """MMEngine's CheckpointHook, safe against interruptions.

    Local files are written atomically, and outdated ones are deleted last:
    there must be space for one checkpoint more.
    """

    # `backend_args` of the base class are not enough: it deletes old
    # checkpoints before it writes the new one, and strategies ignore them.

    def before_train(self, runner: Runner) -> None:
        """Delete outdated checkpoints that an interrupted run left."""
        super().before_train(runner)
        path = runner._load_from
        if runner._resume and is_main_process() and (
                path is None or osp.realpath(osp.dirname(path))
                == osp.realpath(self.out_dir)):
            # The folder may have been moved.
            self._delete([
                self.file_backend.join_path(self.out_dir, osp.basename(old))
                for old in runner.message_hub.get_info(_OUTDATED, [])
            ])

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Save after every ``interval`` iterations."""
        with self._nothing_lost(runner):
            super().after_train_iter(runner, *args, **kwargs)

    def after_train_epoch(self, runner: Runner) -> None:
        """Save after every ``interval`` epochs."""
        with self._nothing_lost(runner):
            super().after_train_epoch(runner)

    def after_val_epoch(self, runner: Runner, metrics: dict) -> None:
        """Save the best checkpoint."""
        # Without training, there is no folder to save to.
        if hasattr(self, 'file_backend'):
            with self._nothing_lost(runner):
                super().after_val_epoch(runner, metrics)

    def after_train(self, runner: Runner) -> None:
        """Publish the last checkpoint, if ``published_keys`` are given."""
        with self._nothing_lost(runner):
            super().after_train(runner)

    @contextmanager
    def _nothing_lost(self, runner: Runner) -> Iterator[None]:
        """Write local files atomically, and postpone deletions to the end."""
        # Unless another backend has been registered.
        replace = type(get_file_backend('.')) is LocalBackend
        if replace:
            register_backend('local', AtomicBackend, force=True, prefixes='')
        outdated = []

        def postpone(path: str) -> None:
            # Saved in the new checkpoint, so that a run that resumes from it
            # deletes the old one if this process is killed before.
            outdated.append(path)
            runner.message_hub.update_info(_OUTDATED, outdated)

        runner.message_hub.update_info(_OUTDATED, outdated)
        backend = self.file_backend
        backend.remove = backend.rmtree = postpone
        try:
            yield
        finally:
            del backend.remove, backend.rmtree
            if replace:
                register_backend(
                    'local', LocalBackend, force=True, prefixes='')
        self._delete(outdated)

    def _delete(self, paths: list[str]) -> None:
        # The name repeats if a validation is repeated after resuming.
        best = [getattr(self, 'best_ckpt_path', None)]
        best += getattr(self, 'best_ckpt_path_dict', {}).values()
        backend = self.file_backend
        for path in paths:
            if path not in best:
                with suppress(FileNotFoundError):
                    # DeepSpeed's checkpoints are folders.
                    (backend.rmtree if backend.isdir(path) else backend.remove
                     )(path)
