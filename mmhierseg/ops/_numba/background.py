"""Machine code of the kernels, made once per machine in the background.

Compiling takes half a minute of one core. Meanwhile the reference
implementations in torch serve, whose results are equal; what numba has made
lies in its cache on disk, and a marker beside this package's other files says
so.
"""

import functools
import hashlib
import os
import platform
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: kernels compile where they are called
    fcntl = None

#: Imports and calls all kernels; a module of the folder above this one.
WARM_UP = 'mmhierseg.superpixels.warm_up'
#: Finds modules where this process does, whatever led it there.
_PROGRAM = 'import sys; sys.path = {}; from {} import main; main()'
#: Seconds between two looks for the marker.
_INTERVAL = 0.5

_PACKAGE = Path(__file__).resolve().parents[2]
#: The process that compiles, and its parent: workers are forked.
_process: tuple[subprocess.Popen, int] | None = None
_looked = -float('inf')


@functools.cache
def marker() -> Path:
    """File that exists once the kernels of this version are compiled."""
    facts = [
        sys.version, metadata.version('numba'), platform.machine(),
        _cpu(), *sorted(f'{name}={value}' for name, value in os.environ.items()
                        if name.startswith('NUMBA_'))
    ]
    for path in sorted((*_PACKAGE.glob('ops/_numba/*.py'),
                        *_PACKAGE.glob('superpixels/*.py'))):
        status = path.stat()
        facts.append(f'{path} {status.st_size} {status.st_mtime_ns}')
    name = hashlib.sha256('\n'.join(facts).encode()).hexdigest()[:16]
    home = Path(os.environ.get('MMHIERSEG_HOME') or '~/.cache/mmhierseg')
    return home.expanduser().absolute() / 'numba' / name


def _cpu() -> str:
    """What the processor can do, on Linux."""
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith('flags')), '')


def is_compiled() -> bool:
    """Whether kernels can be called without compiling; starts it if not.

    Also True where it cannot be done in the background: without a folder to
    write to, or after it failed.
    """
    global _looked
    if _looked == float('inf'):
        return True
    now = time.monotonic()
    if now - _looked < _INTERVAL:
        return False
    _looked = now
    if fcntl is None or not _has_interpreter() or _is_done():
        _looked = float('inf')
    return _looked == float('inf')


def _has_interpreter() -> bool:
    """Not in a frozen or embedding application, which would start again."""
    name = os.path.basename(sys.executable or '').lower()
    return name.startswith('python') and not getattr(sys, 'frozen', False)


def _is_done() -> bool:
    global _process
    try:
        if _process is not None and _process[1] == os.getpid():
            # Not by the marker: the process would stay a zombie.
            return _process[0].poll() is not None
        if marker().exists():
            return True
        if _process is not None:
            return False  # not our own
        marker().parent.mkdir(parents=True, exist_ok=True)
        # The child inherits the lock, and holds it to its end.
        with open(marker().with_suffix('.lock'), 'w') as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False  # another process compiles
            process = subprocess.Popen(
                [sys.executable, '-c',
                 _PROGRAM.format([*map(str, sys.path)], WARM_UP),
                 str(marker())],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, pass_fds=[lock.fileno()],
                start_new_session=True,
                env=dict(os.environ, MMHIERSEG_COMPILED='1',
                         OMP_NUM_THREADS='1'))
            _process = process, os.getpid()
        return False
    except (OSError, RuntimeError, ImportError):
        # Nor a home, or metadata of numba.
        return True
