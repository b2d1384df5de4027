"""Errors that a user can mend, and how the command-line tools print them."""

import errno
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

#: No space left, quota exceeded, file too large (``ulimit -f``).
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NOT_WRITABLE = (*DISK_FULL, errno.EACCES, errno.EPERM, errno.EROFS)
#: Warnings of other packages that are of no use to a user, and that every
#: process repeats.
_NOISE = ("Only use 'alpha' for pillow backend",
          'Fail to import ``MultiScaleDeformableAttention``')


class UserError(ValueError):
    """A file, a dataset or a setting is wrong; the message says what to do.

    :func:`run_command` prints it without a traceback.
    """


def run_command(main: Callable[[], None]) -> int:
    """Run a command and return its exit status, 0 or 1.

    A :class:`UserError`, also from a data loader's worker, and a file that
    cannot be written are reported without a traceback, unless the environment
    has ``MMHIERSEG_TRACEBACK=1``. Other errors are bugs and are raised.
    """
    for message in _NOISE:
        warnings.filterwarnings('ignore', message=message)
    try:
        main()
    except (UserError, OSError) as error:
        user = isinstance(error, UserError) or (
            error.filename is not None and error.errno in _NOT_WRITABLE)
        if not user or os.environ.get('MMHIERSEG_TRACEBACK'):
            raise
        # The message of a loader's worker includes its traceback.
        message = str(error).rpartition(f'{UserError.__name__}: ')[2].rstrip()
        print(f'{Path(sys.argv[0]).name}: error: {message}', file=sys.stderr)
        return 1
    return 0
