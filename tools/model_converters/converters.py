"""Shared by the converters of checkpoints."""

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
    """Print what was not converted, grouped by the beginnings of the names."""
    groups = Counter('.'.join(key.split('.')[:3]) for key in unconverted)
    if groups:
        print(f'not converted ({sum(groups.values())}):')
    for group, number in sorted(groups.items()):
        print(f'  {group}' + (f'.* ({number} tensors)' if number > 1 else ''))
