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
from mmhierseg.ops._numba import background
HierarchyInferencer(show_progress=False)(sys.argv[1], return_vis=False)
if background._process:
    # It would slow down what is measured next.
    background._process[0].kill()
print('segmented', flush=True)
"""
# Collecting garbage among all objects of the hosts takes 0.2 s, and would be
# counted as one's own by chance.
_IMPORTS = """
import gc, importlib, time
def seconds(*names):
    begin = time.perf_counter()
    for name in names:
        importlib.import_module(name)
    return time.perf_counter() - begin
own = seconds('mmhierseg')  # first, for it repairs the hosts
hosts = seconds('mmpretrain.models', 'mmseg.models')
gc.freeze()
print('seconds', own + seconds('mmhierseg.models'), hosts, flush=True)
"""


def imports(rounds: int) -> dict[str, list[float]]:
    """Seconds to import this package (``own``), and its ``hosts``."""
    lines = [_first_line('seconds', '-W', 'ignore', '-c', _IMPORTS)
             for _ in range(rounds + 1)]
    # The first one writes byte code.
    own, hosts = zip(*(map(float, line.split()[1:]) for line in lines[1:]))
    return dict(own=[*own], hosts=[*hosts])


def first_result(rounds: int) -> list[float]:
    """Seconds to segment a photograph with nothing compiled yet."""
    with tempfile.TemporaryDirectory() as folder:
        write_photographs(Path(folder), 1)
        photo = str(next(Path(folder).rglob('*.*')))

        def run() -> None:
            # What compiles may just be writing to it.
            with tempfile.TemporaryDirectory(
                    ignore_cleanup_errors=True) as cache:
                _first_line('segmented', '-W', 'ignore', '-c', _FIRST, photo,
                            MMHIERSEG_HOME=cache, NUMBA_CACHE_DIR=cache)

        # Warming up writes byte code.
        return take_turns(dict(first=run), rounds, 1, 0.)['first']


def first_iteration(rounds: int) -> list[float]:
    """Seconds until the quick start's training reports an iteration."""
    with tempfile.TemporaryDirectory() as folder:
        write_photographs(Path(folder), 40)
        run = partial(
            _first_line, 'Epoch(train)', 'tools/train.py', _CONFIG,
            '--work-dir', f'{folder}/work', '--cfg-options',
            'default_hooks.logger.interval=1',
            f'train_dataloader.dataset.data_root={folder}', TMPDIR=folder)
        # Everything is compiled before.
        run(MMHIERSEG_COMPILED='1')
        return take_turns(dict(first=run), rounds, 1, 0.)['first']


def _first_line(words: str, *arguments: str, **variables: str) -> str:
    """Run Python until it writes a line with these words; return the line."""
    with subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, text=True,
            start_new_session=True, env=_environment(**variables),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        lines = []
        try:
            for line in process.stdout:
                lines.append(line)
                if words in line:
                    return line
        finally:
            # Its loaders, too.
            os.killpg(process.pid, signal.SIGKILL)
    raise RuntimeError(''.join(lines))


def _environment(**variables: str) -> dict[str, str]:
    path = os.pathsep.join([str(ROOT), *sys.path])
    environment = {**os.environ, 'PYTHONPATH': path}
    # As where a user has installed the package: with byte code.
    for name in ('MMHIERSEG_COMPILED', 'PYTHONDONTWRITEBYTECODE'):
        environment.pop(name, None)
    return {**environment, **variables}
