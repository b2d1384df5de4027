"""Checkpoints of which the last is always whole."""

from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.fileio import LocalBackend, get_file_backend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from mmhierseg._base.atomic import AtomicBackend
from mmhierseg.registry import HOOKS


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """MMEngine's CheckpointHook, which loses nothing if a run is interrupted.

    Local files are written whole or not at all, and what is out of date is
    deleted last: there must be space for one checkpoint more.
    """

    # `backend_args` of the base class would not do: it deletes old checkpoints
    # before it writes the new one, and strategies do not pass them on.

    def after_train_iter(self, *args, **kwargs) -> None:
        """Save after every ``interval`` iterations."""
        with self._nothing_lost():
            super().after_train_iter(*args, **kwargs)

    def after_train_epoch(self, runner: Runner) -> None:
        """Save after every ``interval`` epochs."""
        with self._nothing_lost():
            super().after_train_epoch(runner)

    def after_val_epoch(self, runner: Runner, metrics: dict) -> None:
        """Save the best checkpoint."""
        # A validation alone saves nothing, and there is no folder to save to.
        if hasattr(self, 'file_backend'):
            with self._nothing_lost():
                super().after_val_epoch(runner, metrics)

    def after_train(self, runner: Runner) -> None:
        """Publish the last checkpoint, if ``published_keys`` are given."""
        with self._nothing_lost():
            super().after_train(runner)

    @contextmanager
    def _nothing_lost(self) -> Iterator[None]:
        """Write local files whole; remove what is to be removed at the end."""
        # Only if nobody has registered another backend.
        replace = type(get_file_backend('.')) is LocalBackend
        if replace:
            register_backend('local', AtomicBackend, force=True, prefixes='')
        outdated = []
        backend = self.file_backend
        backend.remove = lambda path: outdated.append(('remove', path))
        backend.rmtree = lambda path: outdated.append(('rmtree', path))
        try:
            yield
        finally:
            del backend.remove, backend.rmtree
            if replace:
                register_backend(
                    'local', LocalBackend, force=True, prefixes='')
        # The same name again, if a validation is repeated after resuming.
        best = [getattr(self, 'best_ckpt_path', None)]
        best += getattr(self, 'best_ckpt_path_dict', {}).values()
        for name, path in outdated:
            if path not in best:
                getattr(backend, name)(path)
