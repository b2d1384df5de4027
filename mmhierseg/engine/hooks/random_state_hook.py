"""A resumed run draws the random numbers that an uninterrupted one draws."""

import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler
from mmengine.dataset import worker_init_fn as default_worker_init_fn
from mmengine.dist import (
    all_gather_object,
    get_rank,
    get_world_size,
    sync_random_seed,
)
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch.utils.data import BatchSampler, DataLoader, get_worker_info

from mmhierseg.registry import HOOKS


@HOOKS.register_module()
class RandomStateHook(Hook):
    """Saves random states in checkpoints, by epochs and by iterations.

    MMEngine saves only a run's seed: a resumed run draws the first random
    numbers again. With this hook:

    * ``checkpoint['random_states']`` holds the states of ``random``, NumPy and
      PyTorch of all ranks, and the sampler's seed. Resuming sets them;
      ``load_from`` alone does not. Checkpoints within an epoch get none.
    * Validation restores the previous states.
    * The loader's workers are ahead of the training, so they are seeded for
      each epoch or, by iterations, for each batch. A custom
      ``worker_init_fn`` is kept.
    """

    priority = 'LOW'  # after all that draw, before the CheckpointHook

    def __init__(self) -> None:
        self._at_end: dict[str, Any] | None = None  # of epoch or iteration
        self._before_val = self._loaded = None
        self._seed: int | None = None  # of workers, by iterations

    def before_train(self, runner: Runner) -> None:
        """Set the states of a checkpoint, and seed workers."""
        loop = runner.train_loop
        if isinstance(loop, EpochBasedTrainLoop):
            loader = loop.dataloader
            if _has_default_init_fn(loader):
                loader.worker_init_fn = partial(
                    _seed_worker, shift=loader.num_workers * get_rank())
            if runner.epoch > 0 and (state := self._loaded_state(runner)):
                _set_random_state(state)
        elif isinstance(loop, IterBasedTrainLoop):
            self._begin_iterations(runner, loop)
        self._loaded = None

    def before_train_epoch(self, runner: Runner) -> None:
        """End the last epoch's workers by dropping the only reference."""
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            runner.train_loop.dataloader._iterator = None

    def before_train_iter(self, *args, **kwargs) -> None:
        """Forget the states, which are outdated now."""
        self._at_end = None

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """In training by iterations, gather the states to be saved."""
        if self._seed is not None and _is_saved_now(runner):
            self._gather(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Gather the states of all ranks; only the first one saves."""
        if isinstance(runner.train_loop,
                      (EpochBasedTrainLoop, IterBasedTrainLoop)):
            self._gather(runner)

    def before_val(self, runner: Runner) -> None:
        """Save the states, also for the best checkpoint."""
        if self._seed is not None and self._at_end is None:
            self._gather(runner)
        self._before_val = _get_random_state()

    def after_val(self, runner: Runner) -> None:
        """Restore the states."""
        _set_random_state(self._before_val)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the states, if they have just been gathered."""
        if self._at_end is not None:
            checkpoint['random_states'] = self._at_end

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the states until the training begins."""
        self._loaded = checkpoint.get('random_states')

    def _begin_iterations(self, runner: Runner,
                          loop: IterBasedTrainLoop) -> None:
        """Replace the batches that the loop iterates over."""
        loader = loop.dataloader
        state = self._loaded_state(runner) if runner.iter > 0 else None
        self._seed = None if state is None else self._loaded.get('worker_seed')
        if self._seed is None:
            self._seed = sync_random_seed()
        seeds = None
        if loader.num_workers and (loader.worker_init_fn is None
                                   or _has_default_init_fn(loader)):
            seeds = BatchSeeds(loader.collate_fn, self._seed, get_rank())
            loader.collate_fn, loader.worker_init_fn = seeds, seeds.init_worker
        elif state is not None and loader.num_workers:
            runner.logger.warning(
                'worker_init_fn of train_dataloader is kept: its processes '
                'draw other random numbers than in an uninterrupted run')
        skips = hasattr(loop.dataloader_iterator, 'skip_iter')
        restore = None if state is None else partial(_set_random_state, state)
        loop.dataloader_iterator = ResumableBatches(
            loader, seeds, restore, num_dummies=0 if skips else runner.iter)

    def _gather(self, runner: Runner) -> None:
        self._at_end = dict(
            ranks=all_gather_object(_get_random_state()),
            sampler_seed=getattr(
                _sampler(runner.train_loop.dataloader), 'seed', None))
        if self._seed is not None:
            self._at_end['worker_seed'] = self._seed

    def _loaded_state(self, runner: Runner) -> dict[str, Any] | None:
        """State of this rank, if there is one; set the sampler's seed."""
        ranks = (self._loaded or {}).get('ranks', [])
        if len(ranks) != get_world_size():
            found = f'those of {len(ranks)} processes' if ranks else 'none'
            runner.logger.warning(
                f'random states of {get_world_size()} processes are needed, '
                f'the checkpoint holds {found}: random numbers differ from '
                'those of an uninterrupted run')
            return None
        sampler = _sampler(runner.train_loop.dataloader)
        if getattr(sampler, 'seed', None) is not None:
            # Drawn before the checkpoint was read.
            sampler.seed = self._loaded['sampler_seed']
        runner.logger.info('Random states are those of the checkpoint')
        return ranks[get_rank()]


class BatchSeeds:
    """Seeds a loader's workers for each batch, by the batch's number.

    It is both ``collate_fn``, the last step of a batch, and, by
    :meth:`init_worker`, ``worker_init_fn`` of the loader.
    """

    def __init__(self, collate_fn: Callable, seed: int, rank: int) -> None:
        self._collate_fn = collate_fn
        self._seed, self._rank = seed, rank
        self.first = 0  # number of the first batch of the next iterator
        self._number = 0

    def init_worker(self, worker_id: int) -> None:
        """Seed a worker that has just started for its first batch."""
        self._number = self.first + worker_id
        self._set_seed()

    def __call__(self, samples: Sequence[Any]) -> Any:
        """Collate a batch, and seed the worker for its next one."""
        batch = self._collate_fn(samples)
        # Workers take turns.
        self._number += get_worker_info().num_workers
        self._set_seed()
        return batch

    def _set_seed(self) -> None:
        mixed = np.random.SeedSequence((self._seed, self._rank, self._number))
        _seed_all(int(mixed.generate_state(1, np.uint64)[0]))


class ResumableBatches:
    """Endless batches of a loader, for training by iterations.

    Batches before the resumed iteration are skipped, by the sampler if it can.
    ``before_first`` is called before the first other batch is drawn. The first
    ``num_dummies`` calls of ``next`` return None: OpenMMLab's MMEngine 0.10.7
    makes them instead of calling :meth:`skip_iter`.
    """

    def __init__(self,
                 loader: DataLoader,
                 seeds: BatchSeeds | None = None,
                 before_first: Callable[[], None] | None = None,
                 num_dummies: int = 0) -> None:
        self._loader, self._seeds = loader, seeds
        self._before_first, self._num_dummies = before_first, num_dummies
        self._iterator = None
        # Numbers of the next batch and of the pass over the dataset.
        self._number, self._epoch = 0, 0

    def skip_iter(self, num_iters: int) -> None:
        """Skip the first batches."""
        self._number = num_iters

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._number < self._num_dummies:
            self._number += 1
            return None
        if self._iterator is None:
            skipped = self._number
            if not _move_sampler(self._loader, skipped):
                self._number = 0
            self._start_iterator()
            while self._number < skipped:
                self._draw()
            if self._before_first is not None:
                self._before_first()
        return self._draw()

    def _draw(self) -> Any:
        try:
            batch = next(self._iterator)
        except StopIteration:
            self._epoch += 1
            if hasattr(sampler := _sampler(self._loader), 'set_epoch'):
                sampler.set_epoch(self._epoch)
            self._start_iterator()
            batch = next(self._iterator)
        self._number += 1
        return batch

    def _start_iterator(self) -> None:
        # Drop the only references to workers, also persistent ones: they end.
        self._iterator = self._loader._iterator = None
        if self._seeds is not None:
            self._seeds.first = self._number
        self._iterator = iter(self._loader)


def _move_sampler(loader: DataLoader, number: int) -> bool:
    """Let the next iterator begin with a batch, if the sampler can."""
    batches = loader.batch_sampler
    if type(batches) is not BatchSampler:  # others may compose differently
        return False
    sampler, begin = batches.sampler, number * batches.batch_size
    if hasattr(sampler, 'skip'):
        sampler.skip(begin)
    elif isinstance(sampler, InfiniteSampler):
        # OpenMMLab's MMEngine 0.10.7 has no `skip`; elsewhere it is this.
        sampler.indices = islice(sampler._indices_of_rank(), begin, None)
    else:
        return False
    return True


def _is_saved_now(runner: Runner) -> bool:
    """Whether a CheckpointHook saves after this iteration."""
    return any(
        hook.every_n_train_iters(runner, hook.interval, hook.save_begin) or
        hook.save_last and hook.is_last_train_iter(runner)
        for hook in runner.hooks
        if isinstance(hook, CheckpointHook) and not hook.by_epoch)


def _has_default_init_fn(loader: DataLoader) -> bool:
    init_fn = loader.worker_init_fn
    return getattr(init_fn, 'func', None) is default_worker_init_fn


def _sampler(loader: DataLoader) -> Any:
    """The sampler that draws the order of images."""
    outer = loader.sampler
    inner = getattr(loader.batch_sampler, 'sampler', None)
    return outer if hasattr(outer, 'seed') else inner


def _get_random_state() -> dict[str, Any]:
    """States of all generators, which ``weights_only=True`` reads."""
    version, words, gauss = random.getstate()
    python = dict(version=version, words=torch.tensor(words), gauss=gauss)
    keys = ('name', 'words', 'position', 'has_gauss', 'gauss')
    numpy = dict(zip(keys, np.random.get_state()))
    numpy['words'] = torch.from_numpy(numpy['words'].astype(np.int64))
    state = dict(python=python, numpy=numpy, torch=torch.get_rng_state())
    if torch.cuda.is_available():
        state['cuda'] = torch.cuda.get_rng_state()
    return state


def _set_random_state(state: dict[str, Any]) -> None:
    python, numpy = state['python'], state['numpy']
    random.setstate((python['version'], tuple(python['words'].tolist()),
                     python['gauss']))
    words = numpy['words'].cpu().numpy().astype(np.uint32)
    np.random.set_state(tuple({**numpy, 'words': words}.values()))
    torch.set_rng_state(state['torch'].cpu())
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'].cpu())


def _seed_worker(worker_id: int, shift: int) -> None:
    # PyTorch's seed may be the same for all ranks.
    _seed_all((torch.initial_seed() + shift) % 2**63)


def _seed_all(seed: int) -> None:
    # `np.random.seed` alone would take 32 bits only.
    random.seed(seed)
    np.random.seed(np.random.SeedSequence(seed).generate_state(4))
    torch.manual_seed(seed)
