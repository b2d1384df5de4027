"""Trainings that are run once, resumed where they were interrupted."""

import json
import os
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from mmhierseg._base.atomic import write_atomically
from mmhierseg._base.errors import UserError

__all__ = ['Training', 'run_trainings']

ROOT = Path(__file__).resolve().parents[2]


class Training(NamedTuple):
    """A run of ``tools/train.py``."""

    name: str
    """Folder of its checkpoints."""
    config: str
    """Path from the repository's root."""
    options: dict = {}
    """For ``--cfg-options``."""


def run_trainings(trainings: Sequence[Training],
                  args: Namespace) -> dict[str, Path]:
    """Run trainings, some at a time; what is done is not done again.

    Args:
        trainings (Sequence[Training]): What to run.
        args (Namespace): ``work_dir``, ``jobs``, ``threads``, ``progress``.

    Returns:
        dict[str, Path]: Last checkpoints, by name.

    Raises:
        UserError: If a training fails; its log is named.
    """
    todo = [one for one in trainings if not _done(args.work_dir / one.name)]
    start, finished = time.perf_counter(), 0

    def run(training: Training) -> None:
        nonlocal finished
        _run(training, args)
        finished += 1
        minutes = (time.perf_counter() - start) / 60
        left = minutes / finished * (len(todo) - finished)
        args.progress(f'{training.name}: {finished} of {len(todo)} trainings, '
                      f'{minutes:.0f} minutes, about {left:.0f} left')

    with ThreadPoolExecutor(args.jobs) as pool:
        list(pool.map(run, todo))
    return {one.name: _done(args.work_dir / one.name) for one in trainings}


def _done(folder: Path) -> Path | None:
    """Checkpoint of a training that has ended."""
    path = folder / 'finished.json'
    if not path.exists():
        return None
    return folder / json.loads(path.read_text())['checkpoint']


def _run(training: Training, args: Namespace) -> None:
    folder = args.work_dir / training.name
    folder.mkdir(parents=True, exist_ok=True)
    options = [f'{key}={value}' for key, value in training.options.items()]
    command = [
        sys.executable, 'tools/train.py', training.config, '--work-dir',
        str(folder), '--resume', '--cfg-options', *options
    ]
    environment = dict(
        os.environ, OMP_NUM_THREADS=str(args.threads),
        OMP_WAIT_POLICY='passive')
    log = folder / 'output.log'
    start = time.perf_counter()
    with log.open('a') as output:
        code = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=output,
            stderr=subprocess.STDOUT).returncode
    if code:
        raise UserError(f'training {training.name} failed; see {log}')
    checkpoint = Path((folder / 'last_checkpoint').read_text().strip()).name
    write_atomically(
        folder / 'finished.json',
        json.dumps(
            dict(checkpoint=checkpoint, command=command[1:],
                 minutes_of_last_call=round(
                     (time.perf_counter() - start) / 60, 1))).encode())
