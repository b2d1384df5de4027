"""A resumed run draws the random numbers that an uninterrupted one draws."""

from functools import partial
from typing import Any, Dict, List, Optional

from mmengine.dataset import worker_init_fn as default_worker_init_fn
from mmengine.dist import (
    all_gather_object,
    get_rank,
    get_world_size,
    sync_random_seed,
)
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader, Sampler

from mmhierseg.engine.batch_seeds import BatchSeeds
from mmhierseg.engine.random_state import (
    get_random_state,
    seed_worker,
    set_random_state,
)
from mmhierseg.engine.resumable_batches import ResumableBatches
from mmhierseg.registry import HOOKS

__all__ = ['RandomStateHook']


@HOOKS.register_module()
class RandomStateHook(Hook):
    """Keeps random states in checkpoints, by epochs and by iterations.

    MMEngine stores a run's seed only: a resumed run draws from the start of
    the random numbers again, and in another order of images if the config
    leaves the seed open. With this hook:

    * A checkpoint holds the states of ``random``, NumPy and PyTorch of all
      ranks at the end of its epoch or iteration, and the sampler's seed, as
      ``checkpoint['random_states']``. Resuming sets them. Fine-tuning
      (``load_from`` without ``resume``) does not.
    * Validation leaves the random states as it found them: it comes after the
      checkpoint, so a resumed run goes without it.
    * What the loader's processes draw, which are ahead of the training, is in
      no checkpoint. By epochs they start anew in each, also with
      ``persistent_workers=True``, seeded from the main process's generator;
      so an epoch's augmentation is not that of the epoch before, as it is
      with MMEngine's own ``worker_init_fn``. By iterations they are seeded
      anew for each batch, by its number
      (:class:`mmhierseg.engine.batch_seeds.BatchSeeds`). A ``worker_init_fn``
      of the config's own is kept instead.
    * By iterations, a resumed run does not load the batches before, if the
      sampler is an :class:`mmengine.dataset.InfiniteSampler`
      (:class:`mmhierseg.engine.resumable_batches.ResumableBatches`).

    Checkpoints that :class:`mmengine.hooks.CheckpointHook` saves by iteration
    in training by epochs get none of it, nor do those that others save in the
    middle of training by iterations.
    """

    # Before the CheckpointHook, after all who may draw random numbers.
    priority = 'LOW'

    def __init__(self) -> None:
        # Of the epoch or iteration that has just ended.
        self._at_end: Optional[Dict[str, Any]] = None
        self._before_val: Optional[Dict[str, Any]] = None
        self._loaded: Optional[Dict[str, Any]] = None
        # That of the loader's processes, in training by iterations.
        self._seed: Optional[int] = None

    def before_train(self, runner: Runner) -> None:
        """Set the states of a checkpoint, and how workers are seeded."""
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            self._begin_epochs(runner)
        elif isinstance(runner.train_loop, IterBasedTrainLoop):
            self._begin_iterations(runner)
        self._loaded = None

    def before_train_epoch(self, runner: Runner) -> None:
        """End the loader's processes of the epoch before."""
        loader = runner.train_loop.dataloader
        if isinstance(runner.train_loop, EpochBasedTrainLoop) and getattr(
                loader, '_iterator', None) is not None:
            # The loader's only reference to persistent workers: they end.
            loader._iterator = None

    def before_train_iter(self,
                          runner: Runner,
                          batch_idx: int,
                          data_batch: Any = None) -> None:
        """Forget the states; they are out of date now."""
        self._at_end = None

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: Any = None,
                         outputs: Optional[Dict[str, Any]] = None) -> None:
        """In training by iterations, gather the states to be saved."""
        if self._seed is not None and _is_saved_now(runner):
            self._gather(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Gather the states of all ranks; only the first one saves."""
        if isinstance(runner.train_loop,
                      (EpochBasedTrainLoop, IterBasedTrainLoop)):
            self._gather(runner)

    def before_val(self, runner: Runner) -> None:
        """Keep the states, also for the best checkpoint, saved after it."""
        if self._seed is not None and self._at_end is None:
            self._gather(runner)
        self._before_val = get_random_state()

    def after_val(self, runner: Runner) -> None:
        """Go back to the states before the validation."""
        if self._before_val is not None:
            set_random_state(self._before_val)
            self._before_val = None

    def before_save_checkpoint(self, runner: Runner,
                               checkpoint: Dict[str, Any]) -> None:
        """Add the states, if they have just been gathered."""
        if self._at_end is not None:
            checkpoint['random_states'] = self._at_end

    def after_load_checkpoint(self, runner: Runner,
                              checkpoint: Dict[str, Any]) -> None:
        """Keep the states until the training begins."""
        self._loaded = checkpoint.get('random_states')

    def _begin_epochs(self, runner: Runner) -> None:
        loader = runner.train_loop.dataloader
        if _has_default_init_fn(loader):
            loader.worker_init_fn = partial(
                seed_worker, num_workers=loader.num_workers, rank=get_rank())
        state = self._loaded_state(runner) if runner.epoch > 0 else None
        if state is not None:
            set_random_state(state)

    def _begin_iterations(self, runner: Runner) -> None:
        """Put batches of one's own in the place of the loop's."""
        loop = runner.train_loop
        state = self._loaded_state(runner) if runner.iter > 0 else None
        self._seed = None if state is None else self._loaded.get('worker_seed')
        if self._seed is None:
            self._seed = sync_random_seed()
        seeds = _seed_batches(loop.dataloader, self._seed)
        if state is not None and seeds is None and loop.dataloader.num_workers:
            runner.logger.warning(
                'train_dataloader has a worker_init_fn of its own: its '
                'processes draw other random numbers than in an uninterrupted '
                'run')
        skips = hasattr(loop.dataloader_iterator, 'skip_iter')
        loop.dataloader_iterator = ResumableBatches(
            loop.dataloader,
            seeds,
            None if state is None else partial(set_random_state, state),
            num_dummies=0 if skips else runner.iter)

    def _gather(self, runner: Runner) -> None:
        self._at_end = dict(
            ranks=all_gather_object(get_random_state()),
            sampler_seed=_sampler_seed(runner.train_loop.dataloader))
        if self._seed is not None:
            self._at_end['worker_seed'] = self._seed

    def _loaded_state(self, runner: Runner) -> Optional[Dict[str, Any]]:
        """State of this rank, if there is one; set the sampler's seed."""
        ranks: List[Dict[str, Any]] = (self._loaded or {}).get('ranks', [])
        if len(ranks) != get_world_size():
            reason = (f'those of {len(ranks)} processes, not of '
                      f'{get_world_size()}' if ranks else 'no random states')
            runner.logger.warning(
                f'The checkpoint holds {reason}: this run goes on with other '
                'random numbers than an uninterrupted one would')
            return None
        loader = runner.train_loop.dataloader
        if _sampler_seed(loader) is not None:
            # Made before the checkpoint was read.
            _sampler(loader).seed = self._loaded['sampler_seed']
        runner.logger.info('Random states are those of the checkpoint')
        return ranks[get_rank()]


def _is_saved_now(runner: Runner) -> bool:
    """Whether a CheckpointHook saves after this iteration."""
    return any(
        hook.every_n_train_iters(runner, hook.interval, hook.save_begin) or (
            hook.save_last and hook.is_last_train_iter(runner))
        for hook in runner.hooks
        if isinstance(hook, CheckpointHook) and not hook.by_epoch)


def _has_default_init_fn(loader: DataLoader) -> bool:
    init_fn = getattr(loader, 'worker_init_fn', None)
    return getattr(init_fn, 'func', None) is default_worker_init_fn


def _seed_batches(loader: DataLoader, seed: int) -> Optional[BatchSeeds]:
    """Let a loader's processes be seeded for each batch, if none else does."""
    if not (loader.num_workers and
            (loader.worker_init_fn is None or _has_default_init_fn(loader))):
        return None
    seeds = BatchSeeds(loader.collate_fn, seed, get_rank())
    loader.collate_fn, loader.worker_init_fn = seeds, seeds.init_worker
    return seeds


def _sampler(loader: DataLoader) -> Optional[Sampler]:
    """Find the sampler that draws the order of images."""
    inner = getattr(getattr(loader, 'batch_sampler', None), 'sampler', None)
    outer = getattr(loader, 'sampler', None)
    return outer if hasattr(outer, 'seed') else inner


def _sampler_seed(loader: DataLoader) -> Optional[int]:
    seed = getattr(_sampler(loader), 'seed', None)
    return None if seed is None else int(seed)
