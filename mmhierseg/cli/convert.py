"""Convert checkpoints of models' authors to MMEngine checkpoints."""

import io
import os
from collections import Counter
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from mmhierseg._base.atomic import write_atomically
from mmhierseg._base.errors import UserError
from mmhierseg._base.safe_load import load_plain_checkpoint
from mmhierseg.checkpoints import (
    ConvertedCheckpoint,
    convert_cast_checkpoint,
    convert_dino_checkpoint,
    convert_hsg_checkpoint,
    match,
)
from mmhierseg.checkpoints.dino import is_dino_state_dict
from mmhierseg.checkpoints.matching import weights_of
from mmhierseg.registry import MODELS
from mmhierseg.version import __version__


def convert(src: str, dst: str) -> None:
    """Convert a file of the authors of CAST, HSG or DINO, by its keys."""
    content = _read(src)
    if isinstance(content, dict) and 'embedding_model' in content:
        convert_hsg(src, dst, content)
    elif isinstance(content, dict) and is_dino_state_dict(content):
        convert_dino(src, dst, content)
    else:
        convert_cast(src, dst, content=content)


def convert_cast(src: str,
                 dst: str,
                 encoder: str = 'base',
                 ema: bool = False,
                 content: Any = None) -> None:
    """Convert a file of CAST's authors, and print what was converted."""
    options = dict(encoder=encoder, ema=ema)
    try:
        converted = convert_cast_checkpoint(
            _read(src) if content is None else content, **options)
        _check_complete(converted)
    except ValueError as error:
        raise UserError(str(error)) from error
    meta = dict(
        source_kind=converted.kind, backbone=converted.options, **options)
    save_converted(converted.state_dict, dst, meta)
    _report(converted, dst)
    print("backbone of the authors' model, with CAST's `num_clusters` as in "
          f'their configuration: dict({_in_code(converted.options)})')


def convert_hsg(src: str, dst: str, content: Any = None) -> None:
    """Convert a file of HSG's authors, and print what was converted."""
    try:
        converted = convert_hsg_checkpoint(
            _read(src) if content is None else content)
    except ValueError as error:
        raise UserError(str(error)) from error
    save_converted(converted.state_dict, dst,
                   dict(source_kind=converted.kind, head=converted.options))
    _report(converted, dst)
    print("head of the authors' model, the rest as in their configuration: "
          f"dict(type='mmhierseg.HSGHead', {_in_code(converted.options)})")


def convert_dino(src: str, dst: str, content: Any = None) -> None:
    """Convert a file of DINOv2's or DINOv3's authors."""
    try:
        converted = convert_dino_checkpoint(
            _read(src) if content is None else content)
        _check_complete(converted)
    except ValueError as error:
        raise UserError(str(error)) from error
    save_converted(
        converted.state_dict, dst,
        dict(source_kind=converted.kind, backbone=converted.options))
    _report(converted, dst)
    print(f'backbone: dict({_in_code(converted.options)})')


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


def _read(src: str) -> Any:
    try:
        return load_plain_checkpoint(src)
    except (FileNotFoundError, ValueError) as error:
        raise UserError(str(error)) from error


def _check_complete(converted: ConvertedCheckpoint) -> None:
    """Check that the weights are exactly those of a backbone."""
    weights = weights_of(dict(state_dict=converted.state_dict), 'backbone.')
    depths = converted.options['arch'].get('depths', ())
    clusters = dict(num_clusters=tuple(range(len(depths), 0, -1)))
    model = MODELS.build(
        {**converted.options, **(clusters if depths else {})})
    differences = match(weights, model)
    if differences:
        raise ValueError('\n  '.join(
            [f'the weights do not make a whole {type(model).__name__}',
             *differences]))


def _report(converted: ConvertedCheckpoint, dst: str) -> None:
    print(f'kind: {converted.kind}; {len(converted.state_dict)} tensors '
          f'written to {dst}')
    report_left(converted.unconverted)


def _in_code(options: dict) -> str:
    return ', '.join(f'{key}={value!r}' for key, value in options.items())
