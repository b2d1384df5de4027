"""A resumed run draws the random numbers that an uninterrupted one draws."""

from functools import partial
from typing import Any, Dict, List, Optional

from mmengine.dataset import worker_init_fn as default_worker_init_fn
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.utils.data import DataLoader, Sampler

from mmhierseg.registry import HOOKS
from mmhierseg.utils.random_state import (
    get_random_state,
    seed_worker,
    set_random_state,
)

__all__ = ['RandomStateHook']


@HOOKS.register_module()
class RandomStateHook(Hook):
    """Keeps random states in checkpoints, for training by epochs.

    MMEngine stores a run's seed only: a resumed run draws from the start of
    the random numbers again, and in another order of images if the config
    leaves the seed open. With this hook:

    * A checkpoint of an epoch holds the states of ``random``, NumPy and
      PyTorch of all ranks at the end of the epoch, and the sampler's seed, as
      ``checkpoint['random_states']``. Resuming sets them. Fine-tuning
      (``load_from`` without ``resume``) does not.
    * Validation leaves the random states as it found them: it comes after the
      checkpoint, so a resumed run goes without it.
    * The loader's processes start anew in each epoch, also with
      ``persistent_workers=True``, as theirs are states that no checkpoint
      holds. Their seeds are drawn from the main process's generator, so an
      epoch's augmentation is not that of the epoch before, as it is with
      MMEngine's own ``worker_init_fn``. One of the config's own is kept.

    Checkpoints that :class:`mmengine.hooks.CheckpointHook` saves by iteration
    get none of it, and :class:`mmengine.runner.IterBasedTrainLoop` is left
    alone.
    """

    # Before the CheckpointHook, after all who may draw random numbers.
    priority = 'LOW'

    def __init__(self) -> None:
        self._at_epoch_end: Optional[Dict[str, Any]] = None
        self._before_val: Optional[Dict[str, Any]] = None
        self._loaded: Optional[Dict[str, Any]] = None

    def before_train(self, runner: Runner) -> None:
        """Set the states of a checkpoint, and how workers are seeded."""
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            return
        loader = runner.train_loop.dataloader
        init_fn = getattr(loader, 'worker_init_fn', None)
        if getattr(init_fn, 'func', None) is default_worker_init_fn:
            loader.worker_init_fn = partial(
                seed_worker, num_workers=loader.num_workers, rank=get_rank())
        if runner.epoch > 0:
            self._restore(runner, loader)
        self._loaded = None

    def before_train_epoch(self, runner: Runner) -> None:
        """End the loader's processes of the epoch before."""
        self._at_epoch_end = None
        loader = runner.train_loop.dataloader
        if isinstance(runner.train_loop, EpochBasedTrainLoop) and getattr(
                loader, '_iterator', None) is not None:
            # The loader's only reference to persistent workers: they end.
            loader._iterator = None

    def after_train_epoch(self, runner: Runner) -> None:
        """Gather the states of all ranks; only the first one saves."""
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            self._at_epoch_end = dict(
                ranks=all_gather_object(get_random_state()),
                sampler_seed=_sampler_seed(runner.train_loop.dataloader))

    def before_val(self, runner: Runner) -> None:
        """Keep the states."""
        self._before_val = get_random_state()

    def after_val(self, runner: Runner) -> None:
        """Go back to the states before the validation."""
        if self._before_val is not None:
            set_random_state(self._before_val)
            self._before_val = None

    def before_save_checkpoint(self, runner: Runner,
                               checkpoint: Dict[str, Any]) -> None:
        """Add the states, if an epoch has just ended."""
        if self._at_epoch_end is not None:
            checkpoint['random_states'] = self._at_epoch_end

    def after_load_checkpoint(self, runner: Runner,
                              checkpoint: Dict[str, Any]) -> None:
        """Keep the states until the training begins."""
        self._loaded = checkpoint.get('random_states')

    def _restore(self, runner: Runner, loader: DataLoader) -> None:
        ranks: List[Dict[str, Any]] = (self._loaded or {}).get('ranks', [])
        if len(ranks) != get_world_size():
            reason = (f'those of {len(ranks)} processes, not of '
                      f'{get_world_size()}' if ranks else 'no random states')
            runner.logger.warning(
                f'The checkpoint holds {reason}: this run goes on with other '
                'random numbers than an uninterrupted one would')
            return
        if _sampler_seed(loader) is not None:
            # Made before the checkpoint was read.
            _sampler(loader).seed = self._loaded['sampler_seed']
        set_random_state(ranks[get_rank()])
        runner.logger.info('Random states are those of the checkpoint')


def _sampler(loader: DataLoader) -> Optional[Sampler]:
    """Find the sampler that draws the order of images."""
    inner = getattr(getattr(loader, 'batch_sampler', None), 'sampler', None)
    outer = getattr(loader, 'sampler', None)
    return outer if hasattr(outer, 'seed') else inner


def _sampler_seed(loader: DataLoader) -> Optional[int]:
    seed = getattr(_sampler(loader), 'seed', None)
    return None if seed is None else int(seed)
