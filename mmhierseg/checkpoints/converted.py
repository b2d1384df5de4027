"""Helpers shared by the converters of model checkpoints."""

import io
import os
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mmhierseg._base.atomic import write_atomically
from mmhierseg._base.errors import UserError
from mmhierseg.version import __version__

__all__ = ['ConvertedCheckpoint', 'report_left', 'save_converted']


class ConvertedCheckpoint(NamedTuple):
    """Result of a conversion."""

    state_dict: dict[str, Tensor]
    """Weights in float32, by the names of this project."""

    kind: str
    """'moco', 'moco_seg', 'deit' or 'deit_seg'; 'hsg' with clustering
    transformers, 'hsg_embedding' without."""

    unconverted: list[str]
    """Keys of the source that have no counterpart, or were not asked for."""

    options: dict
    """Options of ``CAST`` or ``HSGHead`` that follow from the weights."""


def to_float32(state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
    """Convert floating-point weights; integers stay."""
    return {
        key: value.float() if value.is_floating_point() else value
        for key, value in state_dict.items()
    }


def describe(checkpoint: Any) -> Any:
    """What a checkpoint holds, for a message."""
    return sorted(map(str, checkpoint))[:8] if isinstance(
        checkpoint, dict) else type(checkpoint).__name__


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
