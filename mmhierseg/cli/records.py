"""Records of tests: metrics, weights, config, machine and software."""

import datetime
import hashlib
import json
import math
import os
import os.path as osp
import platform
import subprocess
from argparse import Namespace
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_world_size
from mmengine.runner import Runner

from mmhierseg._base import UserError
from mmhierseg._base.atomic import write_atomically
from mmhierseg.cli.adapt import class_name

__all__ = ['FORMAT', 'describe', 'git_commit', 'in_words', 'start_record']

#: Distinguishes records from other JSON; changes when their meaning does.
FORMAT = 'mmhierseg test record 1'

ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ('mmengine', 'mmcv', 'mmpretrain', 'mmsegmentation')


def start_record(args: Namespace, content: dict | None) -> Callable:
    """Describe the checkpoint that will be tested.

    Args:
        args (Namespace): Arguments of ``tools/test.py``.
        content (dict, optional): The checkpoint, if the file is local.

    Returns:
        Callable: ``(runner, metrics, seconds) -> None``, which writes the
        record of the test to the work directory. It raises a UserError if it
        cannot.
    """
    checkpoint = _describe_checkpoint(args.checkpoint, content)
    return partial(_write_record, args, checkpoint)


def _write_record(args: Namespace, checkpoint: dict[str, Any], runner: Runner,
                  metrics: dict[str, Any], seconds: float) -> None:
    cfg = runner.cfg
    dataset = cfg.test_dataloader.dataset
    while 'dataset' in dataset:  # inside wrappers
        dataset = dataset['dataset']
    name = osp.splitext(osp.basename(args.config))[0]
    record = dict(
        format=FORMAT,
        config=dict(name=name, path=args.config, content=cfg.pretty_text),
        metrics=_plain(metrics),
        data=dict(
            dataset=class_name(dataset),
            data_root=dataset.get('data_root'),
            images=len(runner.test_dataloader.dataset)),
        options=_plain(
            dict(tta=args.tta, amp=args.amp, cfg_options=args.cfg_options)),
        checkpoint=checkpoint,
        machine=describe('cuda' if torch.cuda.is_available() else 'cpu'),
        processes=get_world_size(),
        seconds=seconds)
    text = json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False)
    path = osp.join(cfg.work_dir, f'test_{name}_{runner.timestamp}.json')
    try:
        os.makedirs(cfg.work_dir, exist_ok=True)
        write_atomically(path, text.encode() + b'\n')
    except OSError as error:
        raise UserError(f'cannot write {path!r}: {error.strerror}. The '
                        'results are in the log') from None
    runner.logger.info(f'Results, with what they were measured on: {path}')


def _describe_checkpoint(path: str, content: dict | None) -> dict[str, Any]:
    """Path, SHA-256, size, and epochs and iterations of a checkpoint."""
    known = dict(path=path, sha256=None, bytes=None)
    if osp.isfile(path):
        content_hash = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        known.update(sha256=content_hash, bytes=osp.getsize(path))
    meta = (content or {}).get('meta') or {}
    for key in ('epoch', 'iter'):
        known[key] = meta[key] if isinstance(meta.get(key), int) else None
    return known


def describe(device: str) -> dict[str, Any]:
    """Hardware, versions, commit and date, for JSON; of 'cpu' or 'cuda'."""
    now = datetime.datetime.now(datetime.timezone.utc)
    record = dict(
        date=now.strftime('%Y-%m-%d %H:%M UTC'),
        commit=git_commit(),
        device=device,
        cpu=_cpu_name(),
        cpu_cores=os.cpu_count(),
        cpu_capability=torch.backends.cpu.get_cpu_capability(),
        threads=torch.get_num_threads(),
        load_average=round(os.getloadavg()[0], 1),
        system=f'{platform.system()} {platform.machine()}',
        versions=dict(
            python=platform.python_version(),
            torch=torch.__version__,
            **{name: _version(name) for name in _PACKAGES}))
    if device == 'cuda':
        record.update(
            gpu=torch.cuda.get_device_name(),
            cuda=torch.version.cuda,
            cudnn=torch.backends.cudnn.version(),
            tf32=dict(
                matmul=torch.backends.cuda.matmul.allow_tf32,
                convolution=torch.backends.cudnn.allow_tf32))
    return record


def in_words(record: dict[str, Any]) -> str:
    """Put a record of :func:`describe` into one sentence."""
    parts = [
        '{cpu}, {cpu_cores} cores, {cpu_capability}'.format(**record),
        f'threads: {record["threads"]}', *(
            f'{name} {number}'
            for name, number in record['versions'].items() if number),
        f'commit {record["commit"] or "unknown"}', record['date']
    ]
    if record['load_average'] is not None:
        parts.insert(2, f'load {record["load_average"]} before')
    if record['device'] == 'cuda':
        tf32 = [name for name, on in record['tf32'].items() if on]
        parts[:0] = [
            record['gpu'], f'CUDA {record["cuda"]}',
            f'TF32 in {" and ".join(tf32) or "nothing"}'
        ]
    return '; '.join(parts)


def git_commit(folder: Path = ROOT) -> str | None:
    """Short name of the commit in a repository's root, or None.

    With ``+ changes`` if tracked files differ from it.
    """
    # An installed package may lie in another repository.
    if not (Path(folder) / '.git').exists():
        return None
    with suppress(OSError):
        return subprocess.run([
            'git', '-C', folder, 'describe', '--always', '--exclude=*',
            '--abbrev=10', '--dirty= + changes'
        ], capture_output=True, text=True).stdout.strip() or None


def _version(name: str) -> str | None:
    """The installed version, of OneDL's build or of OpenMMLab's."""
    for prefix, suffix in (('onedl-', ' (onedl)'), ('', '')):
        with suppress(PackageNotFoundError):
            return version(prefix + name) + suffix


def _cpu_name() -> str:
    """Name, family and model as Linux knows them: a name may say little."""
    with suppress(OSError):
        lines = Path('/proc/cpuinfo').read_text().split('\n\n')[0]
        fields = dict(
            map(str.strip, line.partition(':')[::2])
            for line in lines.splitlines())
        if {'model name', 'cpu family', 'model'} <= fields.keys():
            return '{model name} (family {cpu family}, model {model})'.format(
                **fields)
    return platform.processor() or platform.machine()


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
    return value if isinstance(value, (str, int, type(None))) else str(value)
