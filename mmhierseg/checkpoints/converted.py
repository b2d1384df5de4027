"""Helpers shared by the converters of model checkpoints."""

import io
import os
from collections import Counter
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from mmhierseg._base.atomic import write_atomically
from mmhierseg._base.errors import UserError
from mmhierseg.version import __version__

__all__ = ['report_left', 'save_converted']


def save_converted(state_dict: dict[str, Tensor], dst: str,
                   meta: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all; folders are created."""
    meta = dict(mmhierseg_version=__version__, **meta)
    content = io.BytesIO()
    torch.save(dict(state_dict=state_dict, meta=meta), content)
    try:
        os.makedirs(os.path.dirname(os.path.abspath(dst)), exist_ok=True)
        write_atomically(dst, content.getvalue())
    except OSError as error:
        raise UserError(f'cannot write {dst!r}: {error}') from error


def report_left(unconverted: Iterable[str]) -> None:
    """Print the names of what was not converted, grouped by their beginnings.

    Example:
        >>> report_left(['epoch', 'model.fc.0.bias', 'model.fc.0.weight'])
        not converted (3):
          epoch
          model.fc.0.* (2 tensors)
    """
    groups = Counter('.'.join(key.split('.')[:3]) for key in unconverted)
    if groups:
        print(f'not converted ({sum(groups.values())}):')
    for group, number in sorted(groups.items()):
        print(f'  {group}' + (f'.* ({number} tensors)' if number > 1 else ''))
