"""Write files atomically.

``open(path, 'wb')`` truncates a file before the new content is written: if
the disk is full or the process is killed, both are lost. Here the content
goes to a temporary file in the same folder, which is renamed at the end.
"""

import functools
import os
import re
import shutil
from contextlib import suppress
from uuid import uuid4

from mmengine.fileio import LocalBackend

from mmhierseg._base.errors import DISK_FULL

try:
    import fcntl
except ImportError:  # Windows, where leftovers stay
    fcntl = None

_PART = re.compile(r'(.*)\.[0-9a-f]{8}\.part', re.DOTALL)
#: Attempts, as another process may remove the temporary file.
_TRIES = 5


def write_atomically(path: str | os.PathLike,
                     content: bytes,
                     sync: bool = True) -> None:
    """Replace a file in an existing folder; the last of several writers wins.

    Temporary files that killed processes left, ``NAME.<8 digits>.part``, are
    removed. ``sync=False`` is for many small files: it does not wait for the
    disk, and looks for such leftovers once per folder. If the file cannot be
    written, the old one remains, and the OSError has its path and, if the disk
    is full, the space that is needed and free.
    """
    path = os.fspath(path)
    folder, name = os.path.split(path)
    if sync:
        find_leftovers.cache_clear()
    for part in find_leftovers(folder or '.').get(name, ()):
        _remove_leftover(os.path.join(folder, part))
    try:
        for attempt in range(_TRIES):
            part = f'{path}.{uuid4().hex[:8]}.part'
            try:
                _write(part, content, sync)
                os.replace(part, path)
                return
            except FileNotFoundError:
                # Another process mistook it for a leftover.
                if attempt == _TRIES - 1 or not os.path.isdir(folder or '.'):
                    raise
            except BaseException:
                with suppress(OSError):
                    os.remove(part)
                raise
    except OSError as error:
        message = str(error.strerror)
        if error.errno in DISK_FULL:
            message += (f' (it needs {len(content) / 2**20:.1f} MiB, '
                        f'{free_space(folder)})')
        raise OSError(error.errno, message, path) from error


def _write(part: str, content: bytes, sync: bool) -> None:
    # Fails if there is such a file or link already.
    with open(part, 'xb') as file:
        if fcntl is not None:
            # Some network file systems have no locks.
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
        file.write(content)
        file.flush()
        if sync:
            # Otherwise the name could reach the disk before the content.
            os.fsync(file.fileno())


@functools.lru_cache(maxsize=1000)
def find_leftovers(folder: str) -> dict[str, list[str]]:
    """Temporary files in a folder, by the name of the file they replace."""
    found = {}
    with suppress(OSError):
        for part in os.listdir(folder):
            if match := _PART.fullmatch(part):
                found.setdefault(match[1], []).append(part)
    return found


def _remove_leftover(part: str) -> None:
    """Remove a temporary file, unless a process is writing it."""
    if fcntl is None:
        return
    with suppress(OSError):
        file = os.open(part, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            # Fails while the writer holds the lock.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.remove(part)
        finally:
            os.close(file)


class AtomicBackend(LocalBackend):
    """MMEngine's storage backend for local files, writing them atomically."""

    def put(self, obj: bytes, filepath: str | os.PathLike) -> None:
        """Write a file; create its folder."""
        os.makedirs(os.path.dirname(filepath) or '.', exist_ok=True)
        write_atomically(filepath, obj)


def free_space(folder: str) -> str:
    """Describe the free space on the disk of a folder ('': current)."""
    try:
        free = shutil.disk_usage(folder or '.').free / 2**20
    except OSError as error:
        return f'free space unknown: {error.strerror}'
    return f'{free:.1f} MiB are free'
