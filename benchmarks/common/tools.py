"""Running the programs under ``tools`` as a user does, with a log each."""

import os
import subprocess
import sys
from pathlib import Path

from mmhierseg.utils.errors import CommandError

__all__ = ['run_tool']

_ROOT = Path(__file__).resolve().parents[2]


def run_tool(name: str, *arguments: object, log: Path) -> None:
    """Run a program of ``tools`` on one thread.

    Args:
        name (str): Its file, such as 'train.py'.
        *arguments (object): Its command line.
        log (Path): File that takes what it prints; folders are made.

    Raises:
        CommandError: If it fails.
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
        raise CommandError(f'{name} failed: see {log}')
