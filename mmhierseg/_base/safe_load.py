"""Reading checkpoints of others without executing anything in them."""

import argparse
import os
import pickle
import re
import zipfile
from typing import Any, Union

import torch


def load_plain_checkpoint(path: Union[str, os.PathLike]) -> Any:
    """Read a file of tensors and plain containers.

    Beside what ``torch.load(weights_only=True)`` allows, a plain
    ``argparse.Namespace`` is read, which training scripts like to store.

    Args:
        path (str | os.PathLike): File written by ``torch.save``.

    Returns:
        Any: What the file holds, tensors on the CPU.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint, is damaged, or holds objects that
            only executing code could make.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f'checkpoint {path!r} does not exist (in {os.getcwd()})')
    # Not what is allowed already: leaving the context would forbid it.
    allowed = {argparse.Namespace}.difference(
        torch.serialization.get_safe_globals())
    try:
        with torch.serialization.safe_globals(list(allowed)):
            # Mapped from the file, not copied; files from before PyTorch 1.6
            # are no archives and cannot be.
            return torch.load(
                path,
                map_location='cpu',
                weights_only=True,
                mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        forbidden = re.search(r'GLOBAL (\S+)', str(error))
        if forbidden is None:
            raise _not_a_checkpoint(path) from error
        raise ValueError(
            f'{path!r} was not read, because it wants to make a '
            f'{forbidden.group(1)}, which is no plain container and could '
            'execute a program') from error
    except Exception as error:
        # Bytes that are no pickle make the reader stumble in many ways.
        raise _not_a_checkpoint(path) from error


def _not_a_checkpoint(path: str) -> ValueError:
    return ValueError(f'{path!r} is no checkpoint of torch.save, or is '
                      'damaged')
