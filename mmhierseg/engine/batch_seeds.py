"""Random numbers of a loader's processes that belong to the batch."""

from typing import Any, Callable, Sequence

import numpy as np
from torch.utils.data import get_worker_info

from mmhierseg.engine.random_state import seed_all

__all__ = ['BatchSeeds']


class BatchSeeds:
    """Seeds a loader's processes anew for each batch.

    A worker is some batches ahead of the training, and what it has drawn is
    in no checkpoint. Here the random numbers of a batch follow from its own
    number, whichever worker makes it and whatever that worker made before. So
    a resumed run need not make the batches before, and may have more workers
    or fewer.

    It is both the loader's ``worker_init_fn``, :meth:`init_worker`, and its
    ``collate_fn``, the object itself: to collate is the last that a worker
    does for a batch, after which the seed is that of its next one.

    Args:
        collate_fn (callable): What makes a batch of a list of samples.
        seed (int): Of the run, not negative.
        rank (int): Rank of the process that the workers load for.
    """

    def __init__(self, collate_fn: Callable[[Sequence[Any]], Any], seed: int,
                 rank: int) -> None:
        self._collate_fn = collate_fn
        self._seed, self._rank = seed, rank
        #: Number of the batch that the loader's next iterator begins with;
        #: to be set before the iterator is made.
        self.first = 0
        self._number = 0

    def init_worker(self, worker_id: int) -> None:
        """Seed a worker that has just started for its first batch.

        Args:
            worker_id (int): Index of the worker.
        """
        self._number = self.first + worker_id
        self._set_seed()

    def __call__(self, samples: Sequence[Any]) -> Any:
        """Collate a batch, and seed the worker for its next one.

        Args:
            samples (Sequence): Of the batch.

        Returns:
            Any: What ``collate_fn`` makes of them.
        """
        batch = self._collate_fn(samples)
        # Workers take turns.
        self._number += get_worker_info().num_workers
        self._set_seed()
        return batch

    def _set_seed(self) -> None:
        mixed = np.random.SeedSequence((self._seed, self._rank, self._number))
        seed_all(int(mixed.generate_state(1, np.uint64)[0]))
