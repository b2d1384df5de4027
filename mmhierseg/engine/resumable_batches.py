"""The batches of training by iterations, from any one on."""

from itertools import islice
from typing import Any, Callable, Iterator, Optional

from mmengine.dataset import InfiniteSampler
from torch.utils.data import BatchSampler, DataLoader

from mmhierseg.engine.batch_seeds import BatchSeeds

__all__ = ['ResumableBatches']


class ResumableBatches:
    """Endless batches of a loader, as a resumed run needs them.

    In the place of what :class:`mmengine.runner.IterBasedTrainLoop` iterates
    over: the same batches, but the random numbers that they are made with can
    be those of the uninterrupted run. The loader's iterator is made as late
    as possible, when nothing is left to set.

    Batches that the training has already had are passed over. With an
    :class:`mmengine.dataset.InfiniteSampler`, or another sampler that can
    ``skip``, they are not loaded; with others they are loaded again.

    Args:
        loader (DataLoader): Where batches come from.
        seeds (BatchSeeds, optional): What seeds the loader's processes, if
            it does so for each batch. Defaults to None.
        before_first (callable, optional): Called once, right before the first
            batch that is trained with is drawn. Defaults to None.
        num_dummies (int): How often ``next`` is answered by None first and
            counts as a batch passed over: OpenMMLab's MMEngine 0.10.7 calls
            it as often, and not :meth:`skip_iter`. Defaults to 0.
    """

    def __init__(self,
                 loader: DataLoader,
                 seeds: Optional[BatchSeeds] = None,
                 before_first: Optional[Callable[[], None]] = None,
                 num_dummies: int = 0) -> None:
        self._loader = loader
        self._seeds = seeds
        self._before_first = before_first
        self._num_dummies = num_dummies
        self._iterator: Optional[Iterator[Any]] = None
        # Of the next batch; of the round that the sampler makes.
        self._number, self._epoch = 0, 0

    def skip_iter(self, num_iters: int) -> None:
        """Pass over the batches that the training has already had.

        Args:
            num_iters (int): How many.
        """
        self._number = num_iters

    def __iter__(self) -> 'ResumableBatches':
        return self

    def __next__(self) -> Any:
        if self._number < self._num_dummies:
            self._number += 1
            return None
        if self._iterator is None:
            self._begin()
        return self._draw()

    def _begin(self) -> None:
        to_load = 0
        if not _move_sampler(self._loader, self._number):
            to_load, self._number = self._number, 0
        self._start_iterator()
        for _ in range(to_load):
            self._draw()
        if self._before_first is not None:
            self._before_first()

    def _draw(self) -> Any:
        try:
            batch = next(self._iterator)
        except StopIteration:
            self._epoch += 1
            _set_epoch(self._loader, self._epoch)
            self._start_iterator()
            batch = next(self._iterator)
        self._number += 1
        return batch

    def _start_iterator(self) -> None:
        # The only references to workers, persistent ones too: they end.
        self._iterator = self._loader._iterator = None
        if self._seeds is not None:
            self._seeds.first = self._number
        self._iterator = iter(self._loader)


def _move_sampler(loader: DataLoader, number: int) -> bool:
    """Let the next iterator begin with a batch, if the sampler can."""
    batches = loader.batch_sampler
    # Others may put into a batch what they like.
    if type(batches) is not BatchSampler:
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


def _set_epoch(loader: DataLoader, epoch: int) -> None:
    for sampler in (loader.sampler,
                    getattr(loader.batch_sampler, 'sampler', None)):
        if hasattr(sampler, 'set_epoch'):
            sampler.set_epoch(epoch)
            return
