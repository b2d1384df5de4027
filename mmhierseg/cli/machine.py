"""Description of the machine and the software of a measurement."""

import datetime
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

__all__ = ['describe', 'git_commit', 'in_words']

ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ('mmengine', 'mmcv', 'mmpretrain', 'mmsegmentation')


def describe(device: str) -> dict[str, object]:
    """Record hardware, versions, commit and date, for JSON.

    Args:
        device (str): 'cpu' or 'cuda'.
    """
    now = datetime.datetime.now(datetime.timezone.utc)
    record = dict(
        date=now.strftime('%Y-%m-%d %H:%M UTC'),
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


def in_words(record: dict[str, object]) -> str:
    """Put a record of :func:`describe` into one sentence."""
    parts = []
    if record['device'] == 'cuda':
        tf32 = [name for name, on in record['tf32'].items() if on]
        parts += [
            record['gpu'], f'CUDA {record["cuda"]}',
            f'TF32 in {" and ".join(tf32) or "nothing"}'
        ]
    parts += [
        f'{record["cpu"]}, {record["cpu_cores"]} cores, '
        f'{record["cpu_capability"]}', f'threads: {record["threads"]}'
    ]
    if record['load_average'] is not None:
        parts.append(f'load {record["load_average"]} before')
    parts += [
        f'{name} {number}' for name, number in record['versions'].items()
        if number
    ]
    return '; '.join(
        [*parts, f'commit {record["commit"] or "unknown"}', record['date']])


def git_commit(folder: Path = ROOT) -> str | None:
    """Short name of the commit of a repository, by default of this one.

    With ``+ changes`` if tracked files differ from it; None if the folder is
    not the root of a repository (an installed package may lie in another).
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


def _version(name: str) -> str | None:
    """The installed version, of OneDL's build or of OpenMMLab's."""
    for prefix in ('onedl-', ''):
        try:
            number = version(prefix + name)
        except PackageNotFoundError:
            continue
        return f'{number} (onedl)' if prefix else number
    return None


def _cpu_name() -> str:
    """As Linux knows it, with family and model: the name may say little."""
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
