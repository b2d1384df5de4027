"""What a test has measured, with what, on what: a file beside the log.

A number that somebody puts into a table later must tell by itself which
weights it is of and how it came about. So the file has everything in it, the
whole config included, and no path is needed to make sense of it.
"""

import hashlib
import json
import math
import os
import os.path as osp
from numbers import Integral, Real
from typing import Any, Dict, Optional

import numpy as np
import torch
from mmengine.config import Config

from mmhierseg._base.atomic import write_atomically
from mmhierseg._base.errors import UserError

__all__ = [
    'describe_checkpoint', 'file_sha256', 'make_record', 'record_path',
    'write_record'
]

#: Tells the files from other JSON; a new number when their meaning changes.
FORMAT = 'mmhierseg test record 1'
_BLOCK = 2**20


def make_record(cfg: Config, config_path: str, checkpoint: Dict[str, Any],
                metrics: Dict[str, Any], images: Optional[int], seconds: float,
                options: Dict[str, Any], processes: int,
                machine: Dict[str, Any]) -> Dict[str, Any]:
    """Put the record of a test together.

    Args:
        cfg (Config): The config that the test ran with, options included.
        config_path (str): File that it was read from; its name is what
            tables know the result by.
        checkpoint (Dict[str, Any]): Of :func:`describe_checkpoint`.
        metrics (Dict[str, Any]): What the test has measured.
        images (int, optional): Number of images; None if it is unknown.
        seconds (float): How long the test took, the reading of the weights
            included.
        options (Dict[str, Any]): What the command line said beside the
            config and the checkpoint.
        processes (int): How many took part.
        machine (Dict[str, Any]): Of
            :func:`~mmhierseg.cli.machine.describe`, before the test.

    Returns:
        Dict[str, Any]: Can be written as JSON.
    """
    loader = cfg.test_dataloader
    while 'dataset' in loader:  # of the loader, then of wrappers
        loader = loader['dataset']
    kind = loader.get('type')
    return dict(
        format=FORMAT,
        config=dict(
            name=osp.splitext(osp.basename(config_path))[0],
            path=config_path,
            content=cfg.pretty_text),
        checkpoint=checkpoint,
        metrics=_plain(metrics),
        data=dict(
            dataset=getattr(kind, '__name__', kind),
            data_root=loader.get('data_root'),
            images=images),
        seconds=round(seconds, 3),
        options=_plain(options),
        processes=processes,
        machine=machine)


def describe_checkpoint(path: str,
                        content: Optional[dict] = None) -> Dict[str, Any]:
    """Tell which checkpoint it is.

    Args:
        path (str): File, or what MMEngine takes in its place.
        content (dict, optional): What was read from it. Defaults to None.

    Returns:
        Dict[str, Any]: Path, SHA-256 and size of a local file (None of one
        elsewhere), and how far its training was, where it says so.
    """
    local = osp.isfile(path)
    meta = (content or {}).get('meta')
    meta = meta if isinstance(meta, dict) else {}
    return dict(
        path=path,
        sha256=file_sha256(path) if local else None,
        bytes=osp.getsize(path) if local else None,
        epoch=_number_or_none(meta.get('epoch')),
        iter=_number_or_none(meta.get('iter')))


def file_sha256(path: str) -> str:
    """Hash a file.

    Args:
        path (str): A local file.

    Returns:
        str: Hexadecimal SHA-256.

    Example:
        >>> from tempfile import NamedTemporaryFile
        >>> with NamedTemporaryFile() as file:
        ...     file_sha256(file.name)[:8]
        'e3b0c442'
    """
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def record_path(work_dir: str, config_path: str, timestamp: str) -> str:
    """Name the file of a test.

    Args:
        work_dir (str): Folder of the run.
        config_path (str): File of the config.
        timestamp (str): That of the runner, by which its log is found.

    Returns:
        str: Path.

    Example:
        >>> record_path('work', 'configs/a.py', '20260131_120000')
        'work/test_a_20260131_120000.json'
    """
    name = osp.splitext(osp.basename(config_path))[0]
    return osp.join(work_dir, f'test_{name}_{timestamp}.json')


def write_record(path: str, record: Dict[str, Any]) -> None:
    """Write a record, whole or not at all.

    Args:
        path (str): Where to; folders are made.
        record (Dict[str, Any]): Of :func:`make_record`.

    Raises:
        UserError: If it cannot be written.
    """
    text = json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False)
    try:
        os.makedirs(osp.dirname(path) or '.', exist_ok=True)
        write_atomically(path, text.encode() + b'\n')
    except OSError as error:
        raise UserError(f'cannot write {path!r}: {error.strerror}. The '
                           'results are in the log') from None


def _plain(value: Any) -> Any:
    """Make it something that JSON can hold; NaN, which it cannot, is null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else None
    return str(value)


def _number_or_none(value: Any) -> Optional[int]:
    return int(value) if isinstance(value, Integral) else None
