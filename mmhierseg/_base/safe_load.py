"""Read checkpoints without executing what is in them.

A checkpoint is a pickle, and unpickling can run any program. PyTorch's
``weights_only`` reader builds tensors and plain containers only. Log
histories, NumPy arrays and an ``argparse.Namespace``, which MMEngine and
training scripts write, are allowed by name.
"""

import os
import pickle
import re
import zipfile
from argparse import Namespace
from typing import Any

import numpy as np
import torch
from mmengine.logging.history_buffer import HistoryBuffer

__all__ = ['allow_plain_objects', 'load_plain_checkpoint']


def _history_buffer_method(owner: type, name: str) -> Any:
    """Stand in for ``getattr``, by which methods are pickled."""
    if owner is not HistoryBuffer or name.startswith('_'):
        raise pickle.UnpicklingError(f'{owner!r}.{name} may not be looked up')
    return getattr(owner, name)


def allow_plain_objects() -> None:
    """Let PyTorch's safe reader build what MMEngine's checkpoints hold."""
    core = np._core if hasattr(np, '_core') else np.core
    torch.serialization.add_safe_globals([
        Namespace, HistoryBuffer, (_history_buffer_method, 'builtins.getattr'),
        np.ndarray, np.dtype, core.multiarray._reconstruct,
        core.multiarray.scalar,
        *{type(np.dtype(kind))
          for kind in '?bBhHiIlLqQefd'}
    ])


def load_plain_checkpoint(path: str | os.PathLike) -> Any:
    """Read a file that ``torch.save`` wrote; tensors are on the CPU.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint, is damaged, or holds objects that
            could only be made by executing code.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f'checkpoint {path!r} does not exist (in {os.getcwd()})')
    allow_plain_objects()
    try:
        # Mapped from the file, not copied; files from before PyTorch 1.6 are
        # no archives and cannot be.
        return torch.load(
            path,
            map_location='cpu',
            weights_only=True,
            mmap=zipfile.is_zipfile(path))
    except Exception as error:
        # Bytes that are no pickle make the reader fail in many ways.
        forbidden = re.search(r'GLOBAL (\S+)', str(error)) if isinstance(
            error, pickle.UnpicklingError) else None
        if forbidden is None:
            raise ValueError(f'{path!r} is no checkpoint of torch.save, or is '
                             'damaged') from error
        raise ValueError(
            f'{path!r} was not read, because it wants to make a '
            f'{forbidden[1]}, which is no plain object and could execute a '
            'program') from error
