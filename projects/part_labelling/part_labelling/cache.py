"""Results on disk, so that an interrupted test goes on where it stopped."""

import hashlib
import io
import logging
import os
import zipfile
import zlib
from collections.abc import Callable, Sequence

import numpy as np
from mmengine.logging import print_log

from mmhierseg._base.atomic import write_atomically

#: Changes when results of the same inputs do.
FORMAT = 1
_DAMAGED = (OSError, ValueError, KeyError, TypeError, AttributeError,
            EOFError, zipfile.BadZipFile, zlib.error)


class ResultCache:
    """Arrays in a folder, found by a digest of all that determines them.

    A file is complete or not there, and a damaged one is computed again.
    Several processes may use a folder at once.

    Args:
        folder (str, optional): Made when it is needed. None keeps nothing.

    Example:
        >>> ResultCache(None)(['sum', np.arange(3)], lambda: np.array(3))
        array(3)
    """

    def __init__(self, folder: str | None) -> None:
        self.folder = folder

    def __call__(self, key: Sequence[str | np.ndarray],
                 compute: Callable[[], np.ndarray]) -> np.ndarray:
        """Read the array of a key, or compute and keep it."""
        if self.folder is None:
            return compute()
        name = _digest(key)
        path = os.path.join(self.folder, name[:2], f'{name}.npz')
        value = _read(path)
        if value is None:
            value = compute()
            content = io.BytesIO()
            np.savez_compressed(content, value=value)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            write_atomically(path, content.getvalue(), sync=False)
        return value


def _digest(key: Sequence[str | np.ndarray]) -> str:
    """SHA-256 of texts and arrays, whose kinds and lengths count, too."""
    digest = hashlib.sha256(f'{FORMAT}'.encode())
    for part in key:
        if isinstance(part, str):
            kind, content = 'text', part.encode()
        else:
            kind = f'{part.dtype} {part.shape}'
            content = np.ascontiguousarray(part).tobytes()
        digest.update(f'|{kind} {len(content)}|'.encode() + content)
    return digest.hexdigest()


def _read(path: str) -> np.ndarray | None:
    """Read a file; None if there is none, or it is damaged."""
    try:
        # Members have checksums.
        with np.load(path, allow_pickle=False) as file:
            return file['value']
    except FileNotFoundError:
        return None
    except _DAMAGED as error:
        print_log(
            f"'{path}' is damaged ({error}): computed again",
            logger='current',
            level=logging.WARNING)
        return None
