"""Reading checkpoints of others without executing anything in them."""

import argparse
import os
import pickle
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
        raise FileNotFoundError(f'checkpoint {path!r} does not exist')
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        reason = _forbidden_global(str(error))
        raise ValueError(f'{path!r} cannot be read safely: {reason}') \
            from error
    except (EOFError, RuntimeError, zipfile.BadZipFile) as error:
        raise ValueError(f'{path!r} is no complete checkpoint of torch.save: '
                         f'{str(error).splitlines()[0]}') from error


def _forbidden_global(message: str) -> str:
    """What ``torch.load`` did not want to make, from its long message."""
    marker = 'Unsupported global: GLOBAL '
    if marker in message:
        name = message.split(marker, 1)[1].split(' ', 1)[0]
        return f'it wants to make a {name}, which is no plain container'
    return 'it is no file of tensors and plain containers'
