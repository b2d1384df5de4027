"""The states of all global random generators, as plain containers."""

import random
from typing import Any, Dict

import numpy as np
import torch

__all__ = ['get_random_state', 'seed_all', 'seed_worker', 'set_random_state']


def get_random_state() -> Dict[str, Any]:
    """Read the generators of ``random``, NumPy and PyTorch.

    Returns:
        dict: States by the keys ``'python'``, ``'numpy'``, ``'torch'`` and,
        where there is a GPU, ``'cuda'`` (that of the current device). Made of
        tensors on the CPU, numbers and strings, so that
        ``torch.load(weights_only=True)`` reads them.

    Examples:
        >>> state = get_random_state()
        >>> first = random.random(), np.random.rand(), torch.rand(1).item()
        >>> set_random_state(state)
        >>> first == (random.random(), np.random.rand(), torch.rand(1).item())
        True
    """
    version, words, gauss = random.getstate()
    name, key, position, has_gauss, cached = np.random.get_state()
    state = dict(
        python=dict(
            version=version, words=torch.tensor(words), gauss=gauss),
        numpy=dict(
            name=name,
            words=torch.from_numpy(key.astype(np.int64)),
            position=int(position),
            has_gauss=int(has_gauss),
            gauss=float(cached)),
        torch=torch.get_rng_state())
    if torch.cuda.is_available():
        state['cuda'] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: Dict[str, Any]) -> None:
    """Set the generators to what :func:`get_random_state` returned.

    Args:
        state (dict): The states; their tensors may lie on any device. That of
            a GPU is passed over where there is none, and the other way round.
    """
    python, numpy = state['python'], state['numpy']
    random.setstate((python['version'], tuple(python['words'].tolist()),
                     python['gauss']))
    np.random.set_state(
        (numpy['name'], numpy['words'].cpu().numpy().astype(np.uint32),
         numpy['position'], numpy['has_gauss'], numpy['gauss']))
    torch.set_rng_state(state['torch'].cpu())
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'].cpu())


def seed_worker(worker_id: int, num_workers: int, rank: int) -> None:
    """Seed a loader's process from the generator of the main process.

    A ``worker_init_fn``. PyTorch seeds a worker by a number that the main
    process draws as the worker starts, plus the worker's index; this adds the
    rank, as the main processes of all ranks may be in the same state.

    Args:
        worker_id (int): Index of the worker.
        num_workers (int): Number of workers of each rank.
        rank (int): Rank of the process that the worker loads for.
    """
    seed_all((torch.initial_seed() + num_workers * rank) % 2**63)


def seed_all(seed: int) -> None:
    """Seed ``random``, NumPy and PyTorch.

    Args:
        seed (int): From 0 to 2 ** 64 - 1; ``numpy.random.seed`` alone would
            take 32 bits only.
    """
    random.seed(seed)
    np.random.seed(np.random.SeedSequence(seed).generate_state(4))
    torch.manual_seed(seed)
