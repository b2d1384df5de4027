"""Records of tests: what was measured, of which weights, how and where."""

import hashlib
import json
import math
import os
import os.path as osp
from typing import Any

import numpy as np
import torch
from mmengine.config import Config

from mmhierseg._base import UserError
from mmhierseg._base.atomic import write_atomically
from mmhierseg.cli.adapt import class_name

__all__ = ['FORMAT', 'describe_checkpoint', 'make_record', 'write_record']

#: Distinguishes records from other JSON; changes when their meaning does.
FORMAT = 'mmhierseg test record 1'


def make_record(cfg: Config, config_path: str, metrics: dict[str, Any],
                images: int, options: dict[str, Any],
                **others: Any) -> dict[str, Any]:
    """Put the record of a test together, for JSON.

    Tables know the result by the name of the config file. Others:
    ``checkpoint``, ``machine``, ``processes`` and ``seconds``.
    """
    dataset = cfg.test_dataloader.dataset
    while 'dataset' in dataset:  # of wrappers
        dataset = dataset['dataset']
    return dict(
        format=FORMAT,
        config=dict(
            name=osp.splitext(osp.basename(config_path))[0],
            path=config_path,
            content=cfg.pretty_text),
        metrics=_plain(metrics),
        data=dict(
            dataset=class_name(dataset),
            data_root=dataset.get('data_root'),
            images=images),
        options=_plain(options),
        **others)


def describe_checkpoint(path: str, content: dict | None) -> dict[str, Any]:
    """Path, SHA-256 and size of a checkpoint, and how long it was trained."""
    known = dict(path=path, sha256=None, bytes=None)
    if osp.isfile(path):
        digest = hashlib.sha256()  # `file_digest` needs Python 3.11
        with open(path, 'rb') as file:
            while block := file.read(2**20):
                digest.update(block)
        known.update(sha256=digest.hexdigest(), bytes=osp.getsize(path))
    meta = (content or {}).get('meta') or {}
    for key in ('epoch', 'iter'):
        known[key] = meta[key] if isinstance(meta.get(key), int) else None
    return known


def write_record(path: str, record: dict[str, Any]) -> None:
    """Write a record, whole or not at all; folders are made."""
    text = json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False)
    try:
        os.makedirs(osp.dirname(path) or '.', exist_ok=True)
        write_atomically(path, text.encode() + b'\n')
    except OSError as error:
        raise UserError(f'cannot write {path!r}: {error.strerror}. The '
                        'results are in the log') from None


def _plain(value: Any) -> Any:
    """Convert to what JSON can hold; NaN and infinity become null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    plain = value is None or isinstance(value, (bool, str, int))
    return value if plain else str(value)
