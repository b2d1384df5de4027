"""Write files whole or not at all.

``open(path, 'wb')`` empties a file before the new content is there: if the
disk is full or the process is killed, both are lost. Here the content goes to
a file in the same folder, is flushed to the disk, and takes the name last.
"""

import os
import shutil
from contextlib import suppress
from uuid import uuid4

from mmengine.fileio import LocalBackend

__all__ = ['AtomicBackend', 'free_space', 'write_atomically']


def write_atomically(path: str | os.PathLike, content: bytes) -> None:
    """Replace a file such that it is always the old or the new one, whole.

    Args:
        path (str | os.PathLike): Path of the file, in a folder that exists.
        content (bytes): The new content.

    Raises:
        OSError: If it cannot be written; the old file is still there. Its
            ``filename`` is the path, and the message says how much space is
            needed and how much is free.
    """
    path = os.fspath(path)
    part = f'{path}.{uuid4().hex[:8]}.part'
    try:
        with open(part, 'xb') as file:
            file.write(content)
            file.flush()
            # Otherwise the name could reach the disk before the content.
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException as error:
        with suppress(OSError):
            os.remove(part)
        if not isinstance(error, OSError):
            raise
        size = len(content) / 2**20
        raise OSError(
            error.errno, f'{error.strerror} (it needs {size:.1f} MiB, '
            f'{free_space(os.path.dirname(path))})', path) from error


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
