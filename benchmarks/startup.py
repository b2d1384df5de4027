"""How long a user waits at first: imports, a first picture, a first iteration.

Each is a process of its own, with the background compilation of a user.
"""

import os
import signal
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.images import write_photographs
from benchmarks.timing import take_turns

__all__ = ['first_iteration', 'first_result', 'imports']

ROOT = Path(__file__).resolve().parents[1]
_CONFIG = 'configs/cast/cast-t_photos.py'
_FIRST = """
import sys
from mmhierseg.apis import HierarchyInferencer
HierarchyInferencer(show_progress=False)(sys.argv[1], return_vis=False)
"""


def imports(rounds: int) -> dict[str, list[float]]:
    """Seconds to import the ``hosts``, and ``both`` them and this package."""
    # First, for it repairs the hosts.
    hosts = 'import mmhierseg, mmpretrain.models, mmseg.models'
    return take_turns(
        dict(hosts=partial(_run, hosts),
             both=partial(_run, f'{hosts}; import mmhierseg.models')),
        rounds, min_seconds=0.)


def first_result() -> list[float]:
    """Seconds to segment a photograph with nothing compiled yet."""
    with tempfile.TemporaryDirectory() as folder:
        write_photographs(Path(folder), 1)
        photo = str(next(Path(folder).rglob('*.*')))

        def run() -> None:
            # What compiles in the background still writes to it.
            with tempfile.TemporaryDirectory(
                    ignore_cleanup_errors=True) as cache:
                _run(_FIRST, photo, MMHIERSEG_HOME=cache,
                     NUMBA_CACHE_DIR=cache)

        return take_turns(dict(first=run), 1, 1, 0.)['first']


def first_iteration(rounds: int) -> list[float]:
    """Seconds until the quick start's training reports an iteration."""
    with tempfile.TemporaryDirectory() as folder:
        write_photographs(Path(folder), 40)
        command = [
            sys.executable, 'tools/train.py', _CONFIG, '--work-dir',
            f'{folder}/work', '--cfg-options',
            'default_hooks.logger.interval=1',
            f'train_dataloader.dataset.data_root={folder}'
        ]

        def run(**variables: str) -> None:
            with subprocess.Popen(
                    command, cwd=ROOT, text=True, start_new_session=True,
                    env=_environment(TMPDIR=folder, **variables),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT) as process:
                lines = []
                try:
                    for line in process.stdout:
                        lines.append(line)
                        if 'Epoch(train)' in line:
                            return
                finally:
                    # Its loaders, too.
                    os.killpg(process.pid, signal.SIGKILL)
            raise RuntimeError(''.join(lines))

        # Everything is compiled before.
        run(MMHIERSEG_COMPILED='1')
        return take_turns(dict(first=run), rounds, 1, 0.)['first']


def _run(program: str, *arguments: str, **variables: str) -> None:
    subprocess.run([sys.executable, '-W', 'ignore', '-c', program, *arguments],
                   check=True, capture_output=True,
                   env=_environment(**variables))


def _environment(**variables: str) -> dict[str, str]:
    path = os.pathsep.join([str(ROOT), *sys.path])
    environment = {**os.environ, 'PYTHONPATH': path}
    environment.pop('MMHIERSEG_COMPILED', None)
    return {**environment, **variables}
