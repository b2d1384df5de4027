"""Compile the numba kernels once per machine, in the background.

Compiling takes half a minute of one core. Until it is done, the reference
implementations in torch are called, whose results are equal. The machine code
is in numba's cache on disk; a marker in ``MMHIERSEG_HOME`` says that it is
complete.
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

#: Module whose ``main`` calls all kernels. Named, not imported: it lies above.
WARM_UP = 'mmhierseg.superpixels.warm_up'
#: The child searches for modules where its parent does. It waits, so that the
#: first picture does not have to share the cores: 0.1 instead of 2 s.
_PROGRAM = (
    'import sys, time; time.sleep(1); sys.path = {}; from {} import main; '
    'main()')
#: Seconds between two checks for the marker.
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
    """Feature flags of the CPU on Linux, elsewhere its name."""
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith('flags')), '')


def is_compiled() -> bool:
    """Whether kernels are compiled; if not, start to compile them.

    Also True where this is not possible in the background: without a folder
    to write to, or after it has failed.
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
    """Whether ``sys.executable`` is Python, not an application around it."""
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
