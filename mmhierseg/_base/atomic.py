"""Write files whole or not at all.

``open(path, 'wb')`` empties the file before the new content is there: when
the disk is full or the process is killed, neither the old nor the new is.
Here the content goes to a file beside it, on to the disk, and takes the name
last, in one step of the file system.

MMEngine writes checkpoints by ``put`` of the storage backend of their path,
in every runner and strategy that saves by ``mmengine.runner.save_checkpoint``.
That is where :func:`saving_atomically` steps in, for as long as it is open:
images and logs, written by the same backend, need no waiting for the disk.
"""

import os
import shutil
from contextlib import contextmanager, suppress
from typing import Iterator, Union

from mmengine.fileio import (
    LocalBackend,
    get_file_backend,
    register_backend,
)

__all__ = ['AtomicBackend', 'saving_atomically', 'write_atomically']

#: What is appended to the name while a file is written. No random part: what
#: a killed process left is overwritten when the file is next written.
PART = '.part'


def write_atomically(path: Union[str, os.PathLike], content: bytes) -> None:
    """Write a file such that it is always the old or the new one, whole.

    Args:
        path (str | os.PathLike): Path of the file, in a folder that exists.
        content (bytes): What it holds afterwards.

    Raises:
        OSError: If it cannot be written. Its ``filename`` is the path; what
            was there still is. The message says how much space is needed and
            how much there is.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, 'a')
        ...     write_atomically(path, b'whole')
        ...     os.listdir(folder), open(path, 'rb').read()
        (['a'], b'whole')
    """
    path = os.fspath(path)
    part = path + PART
    try:
        with open(part, 'wb') as file:
            file.write(content)
            file.flush()
            # Else the name could reach the disk before the content does.
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException as error:
        with suppress(OSError):
            os.remove(part)
        if isinstance(error, OSError):
            raise OSError(
                error.errno, f'{error.strerror} (it needs '
                f'{_mebibytes(len(content))}, '
                f'{free_space(os.path.dirname(path))})', path) from error
        raise


class AtomicBackend(LocalBackend):
    """The local files of MMEngine's backend, written whole or not at all."""

    def put(self, obj: bytes, filepath: Union[str, os.PathLike]) -> None:
        """Write a file.

        Args:
            obj (bytes): Its content.
            filepath (str | os.PathLike): Its path; folders are made.
        """
        os.makedirs(os.path.dirname(filepath) or '.', exist_ok=True)
        write_atomically(filepath, obj)


@contextmanager
def saving_atomically() -> Iterator[None]:
    """Have MMEngine write local files whole or not at all.

    Yields:
        None: Until it ends, local paths are served by :class:`AtomicBackend`,
            unless somebody has registered a backend of their own for them.
    """
    if type(get_file_backend('.')) is not LocalBackend:
        yield
        return
    register_backend('local', AtomicBackend, force=True, prefixes='')
    try:
        yield
    finally:
        register_backend('local', LocalBackend, force=True, prefixes='')


def free_space(folder: str) -> str:
    """Say how much space is free for the files of a folder.

    Args:
        folder (str): An existing folder; empty for the current one.

    Returns:
        str: For a message.

    Example:
        >>> free_space('').endswith(' MiB are free')
        True
    """
    try:
        return _mebibytes(shutil.disk_usage(folder or '.').free) + ' are free'
    except OSError as error:
        return f'free space unknown: {error.strerror}'


def _mebibytes(count: int) -> str:
    return f'{count / 2**20:.1f} MiB'
