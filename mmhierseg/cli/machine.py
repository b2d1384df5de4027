"""What a number was measured on, and with what."""

import datetime
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Dict, Optional

import torch

__all__ = ['describe', 'git_commit', 'in_words']

ROOT = Path(__file__).resolve().parents[2]
#: Distributions of the base packages: the maintained one, the original.
_DISTRIBUTIONS = dict(
    mmengine=('onedl-mmengine', 'mmengine'),
    mmcv=('onedl-mmcv', 'mmcv', 'mmcv-lite'),
    mmpretrain=('onedl-mmpretrain', 'mmpretrain'),
    mmsegmentation=('onedl-mmsegmentation', 'mmsegmentation'))


def describe(device: str) -> Dict[str, object]:
    """Record hardware, versions, commit and date.

    Args:
        device (str): 'cpu' or 'cuda'.

    Returns:
        Dict[str, object]: Can be written as JSON. ``load_average`` is that
        of the last minute: near 0 on a quiet machine.
    """
    record = dict(
        date=datetime.datetime.now(
            datetime.timezone.utc).strftime('%Y-%m-%d %H:%M UTC'),
        commit=git_commit(),
        device=device,
        cpu=_cpu_name(),
        cpu_cores=os.cpu_count(),
        cpu_capability=torch.backends.cpu.get_cpu_capability(),
        threads=torch.get_num_threads(),
        load_average=round(os.getloadavg()[0], 1)
        if hasattr(os, 'getloadavg') else None,
        system=f'{platform.system()} {platform.machine()}',
        versions=dict(
            python=platform.python_version(),
            torch=torch.__version__,
            **{name: _version(name) for name in _DISTRIBUTIONS}))
    if device == 'cuda':
        record.update(
            gpu=torch.cuda.get_device_name(),
            cuda=torch.version.cuda,
            cudnn=torch.backends.cudnn.version(),
            tf32=dict(
                matmul=torch.backends.cuda.matmul.allow_tf32,
                convolution=torch.backends.cudnn.allow_tf32))
    return record


def in_words(record: Dict[str, object]) -> str:
    """Put a record into one sentence.

    Args:
        record (Dict[str, object]): Of :func:`describe`.

    Returns:
        str: Markdown.
    """
    load = record['load_average']
    parts = [
        f'{record["cpu"]}, {record["cpu_cores"]} cores, '
        f'{record["cpu_capability"]}',
        f'threads: {record["threads"]}',
        *([f'load {load} before'] if load is not None else []),
        *(f'{name} {version}'
          for name, version in record['versions'].items() if version),
        f'commit {record["commit"] or "unknown"}',
        record['date'],
    ]
    if record['device'] == 'cuda':
        tf32 = [name for name, on in record['tf32'].items() if on]
        parts[:0] = [
            record['gpu'], f'CUDA {record["cuda"]}',
            f'TF32 in {" and ".join(tf32) or "nothing"}'
        ]
    return '; '.join(parts)


def git_commit(folder: Path = ROOT) -> Optional[str]:
    """Name the commit that is checked out.

    Args:
        folder (Path): Root of the repository. Defaults to this one.

    Returns:
        str | None: Its short name, with ``+ changes`` if tracked files
        differ from it; None where there is no repository. A folder inside of
        one is none: the installed package may lie in somebody else's.
    """
    try:
        root = Path(_git(folder, 'rev-parse', '--show-toplevel'))
        if root.resolve() != Path(folder).resolve():
            return None
        commit = _git(folder, 'rev-parse', '--short=10', 'HEAD')
        changed = _git(folder, 'status', '--porcelain',
                       '--untracked-files=no')
    except (OSError, subprocess.CalledProcessError):
        return None
    return f'{commit} + changes' if changed else commit


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(['git', '-C', str(folder), *words],
                          check=True,
                          capture_output=True,
                          text=True).stdout.strip()


def _version(name: str) -> Optional[str]:
    """The installed version, with the distribution if it is not `name`."""
    for distribution in _DISTRIBUTIONS[name]:
        try:
            version = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
        kind = distribution.replace(name, '').strip('-')
        return f'{version} ({kind})' if kind else version
    return None


def _cpu_name() -> str:
    """As Linux knows it, and family and model where the name says little."""
    info = Path('/proc/cpuinfo')
    if not info.is_file():
        return platform.processor() or platform.machine()
    fields = {}
    for line in info.read_text().splitlines():
        key, _, value = line.partition(':')
        fields.setdefault(key.strip(), value.strip())
    name = fields.get('model name') or platform.machine()
    if {'cpu family', 'model'} <= fields.keys():
        name += f' (family {fields["cpu family"]}, model {fields["model"]})'
    return name
