"""Running the programs under ``tools`` as a user does, with a log each."""

import os
import subprocess
import sys
from pathlib import Path
from typing import List, Sequence

from mmhierseg._base.errors import UserError

__all__ = ['cosine_behind_warm_up', 'run_tool', 'train']

_ROOT = Path(__file__).resolve().parents[2]


def run_tool(name: str, *arguments: object, log: Path) -> None:
    """Run a program of ``tools`` on one thread.

    Args:
        name (str): Its file, such as 'train.py'.
        *arguments (object): Its command line.
        log (Path): File that takes what it prints; folders are made.

    Raises:
        UserError: If it fails.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    # Benchmarks have configs and data sets of their own.
    path = os.pathsep.join([str(_ROOT), os.environ.get('PYTHONPATH', '')])
    with open(log, 'w', encoding='utf-8') as output:
        done = subprocess.run(
            [sys.executable,
             str(_ROOT / 'tools' / name), *map(str, arguments)],
            env=dict(os.environ, PYTHONPATH=path, OMP_NUM_THREADS='1'),
            stdout=output,
            stderr=subprocess.STDOUT)
    if done.returncode:
        raise UserError(f'{name} failed: see {log}')


def train(config: Path,
          folder: Path,
          seed: int,
          iters: int,
          options: Sequence[str] = ()) -> Path:
    """Train a config by ``tools/train.py``, if that was not done already.

    What was interrupted goes on. The first of the config's two schedules is a
    warm-up, for an eighth of the iterations here; both end with the training.

    Args:
        config (Path): Of a model, trained by iterations.
        folder (Path): Work dir, with the log in ``log.txt``.
        seed (int): Of the initialisation and of the order of the data.
        iters (int): Number of iterations.
        options (Sequence[str]): More changes to the config, KEY=VALUE.
            Defaults to ().

    Returns:
        Path: The checkpoint.

    Raises:
        UserError: If the training fails.
    """
    checkpoint = folder / f'iter_{iters}.pth'
    if checkpoint.exists():
        return checkpoint
    log = folder / 'log.txt'
    print(
        f'{config.stem}, seed {seed}: training; its log is {log}', flush=True)
    run_tool(
        'train.py', config, '--resume', '--work-dir', folder,
        '--cfg-options', f'randomness.seed={seed}',
        f'train_cfg.max_iters={iters}',
        f'param_scheduler.0.end={_warm_up(iters)}',
        f'param_scheduler.1.end={iters}',
        f'default_hooks.checkpoint.interval={-(-iters // 4)}', *options,
        log=log)
    return checkpoint


def cosine_behind_warm_up(iters: int) -> List[str]:
    """Options for a second schedule that begins where the first one ends.

    Args:
        iters (int): Number of iterations.

    Returns:
        List[str]: For :func:`train`.

    Example:
        >>> cosine_behind_warm_up(80)
        ['param_scheduler.1.begin=10', 'param_scheduler.1.T_max=70']
    """
    return [
        f'param_scheduler.1.begin={_warm_up(iters)}',
        f'param_scheduler.1.T_max={iters - _warm_up(iters)}'
    ]


def _warm_up(iters: int) -> int:
    return iters // 8
