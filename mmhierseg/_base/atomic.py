"""Write files whole or not at all.

``open(path, 'wb')`` empties a file before the new content is there: if the
disk is full or the process is killed, both are lost. Here the content goes to
a file in the same folder, is flushed to the disk, and takes the name last.
"""

import errno
import functools
import os
import re
import shutil
from contextlib import suppress
from uuid import uuid4

from mmengine.fileio import LocalBackend

try:
    import fcntl
except ImportError:  # Windows, where leftovers stay
    fcntl = None

__all__ = [
    'FULL', 'AtomicBackend', 'find_leftovers', 'free_space', 'write_atomically'
]

#: No space; the user's quota; the limit to the size of a file (`ulimit -f`).
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_PART = re.compile(r'(.*)\.[0-9a-f]{8}\.part', re.DOTALL)
#: Of names that somebody else, on another machine perhaps, takes away.
_TRIES = 5


def write_atomically(path: str | os.PathLike,
                     content: bytes,
                     sync: bool = True) -> None:
    """Replace a file such that it is always the old or the new one, whole.

    Of several processes that write it, the last one wins. What killed ones
    left behind, ``NAME.<8 digits>.part``, is removed.

    Args:
        path (str | os.PathLike): Path of the file, in a folder that exists.
        content (bytes): The new content.
        sync (bool): Whether to wait for the disk, and look for leftovers each
            time. False: for many small files; leftovers are looked for once
            per folder.

    Raises:
        OSError: If it cannot be written; the old file is still there. Its
            ``filename`` is the path. If the disk is full, the message says
            how much space is needed and how much is free.
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
                # Another process took it for a leftover.
                if attempt == _TRIES - 1 or not os.path.isdir(folder or '.'):
                    raise
            except BaseException:
                with suppress(OSError):
                    os.remove(part)
                raise
    except OSError as error:
        message = str(error.strerror)
        if error.errno in FULL:
            message += (f' (it needs {len(content) / 2**20:.1f} MiB, '
                        f'{free_space(folder)})')
        raise OSError(error.errno, message, path) from error


def _write(part: str, content: bytes, sync: bool) -> None:
    # Fails if there is such a file or link already.
    with open(part, 'xb') as file:
        if fcntl is not None:
            # Some network disks have no locks.
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
        file.write(content)
        file.flush()
        if sync:
            # Otherwise the name could reach the disk before the content.
            os.fsync(file.fileno())


@functools.lru_cache(maxsize=1000)
def find_leftovers(folder: str) -> dict[str, list[str]]:
    """Unfinished files in a folder, by the name that they are for."""
    found = {}
    with suppress(OSError):
        for part in os.listdir(folder):
            if match := _PART.fullmatch(part):
                found.setdefault(match[1], []).append(part)
    return found


def _remove_leftover(part: str) -> None:
    """Remove an unfinished file, unless a process is writing it."""
    if fcntl is None:
        return
    with suppress(OSError):
        file = os.open(part, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            # Fails if its writer, which is alive, has it.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.remove(part)
        finally:
            os.close(file)


class AtomicBackend(LocalBackend):
    """MMEngine's storage backend for local files, writing them atomically."""

    def put(self, obj: bytes, filepath: str | os.PathLike) -> None:
        """Write a file, whole or not at all; folders are made."""
        os.makedirs(os.path.dirname(filepath) or '.', exist_ok=True)
        write_atomically(filepath, obj)


def free_space(folder: str) -> str:
    """Say how much space is free on the disk of a folder ('': current)."""
    try:
        free = shutil.disk_usage(folder or '.').free / 2**20
    except OSError as error:
        return f'free space unknown: {error.strerror}'
    return f'{free:.1f} MiB are free'
