"""What the converters of model checkpoints have in common."""

import io
import os
from collections import Counter
from typing import Any, Dict, Iterable

import torch
from torch import Tensor

from mmhierseg._base.atomic import write_atomically
from mmhierseg._base.errors import UserError
from mmhierseg.version import __version__

__all__ = ['report_left', 'save_converted']


def save_converted(state_dict: Dict[str, Tensor], dst: str,
                   meta: Dict[str, Any]) -> None:
    """Write a checkpoint under its name only once it is whole.

    Args:
        state_dict (Dict[str, Tensor]): Converted weights.
        dst (str): Path of the file; folders are made.
        meta (Dict[str, Any]): What else is known of them.

    Raises:
        UserError: If it cannot be written; nothing is left behind.
    """
    meta = dict(mmhierseg_version=__version__, **meta)
    content = io.BytesIO()
    torch.save(dict(state_dict=state_dict, meta=meta), content)
    try:
        os.makedirs(os.path.dirname(os.path.abspath(dst)), exist_ok=True)
        write_atomically(dst, content.getvalue())
    except OSError as error:
        raise UserError(f'cannot write {dst!r}: {error}') from error


def report_left(unconverted: Iterable[str]) -> None:
    """Print what has no counterpart, by the beginnings of the names.

    Args:
        unconverted (Iterable[str]): Names in the source.

    Example:
        >>> report_left(['epoch', 'model.fc.0.bias', 'model.fc.0.weight'])
        not converted (3):
          epoch
          model.fc.0.* (2 tensors)
    """
    unconverted = list(unconverted)
    if unconverted:
        print(f'not converted ({len(unconverted)}):')
    groups = Counter('.'.join(key.split('.')[:3]) for key in unconverted)
    for group, number in sorted(groups.items()):
        print(f'  {group}' + (f'.* ({number} tensors)' if number > 1 else ''))
