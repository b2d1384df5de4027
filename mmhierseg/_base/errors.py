"""Errors that a user can mend, and how the command-line tools print them."""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

#: Of a file that cannot be written: no permission, no space.
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC,
                 errno.EDQUOT)


class UserError(ValueError):
    """A file, a dataset or a setting is wrong; the message says what to do.

    :func:`run_command` prints it without a traceback.
    """


def run_command(main: Callable[[], None]) -> int:
    """Run a command; print a :class:`UserError` without its traceback.

    The error may come from a worker process of a data loader. So are files
    that cannot be written. Other errors are defects and keep their traceback;
    with ``MMHIERSEG_TRACEBACK=1`` in the environment, all do. Returns the
    exit status, 0 or 1.
    """
    try:
        main()
    except (UserError, OSError) as error:
        user = isinstance(error, UserError) or (
            error.filename is not None and error.errno in _NOT_WRITABLE)
        if not user or os.environ.get('MMHIERSEG_TRACEBACK'):
            raise
        # From a loader's worker, PyTorch raises the text of the traceback.
        message = str(error).rpartition(f'{UserError.__name__}: ')[2].rstrip()
        print(f'{Path(sys.argv[0]).name}: error: {message}', file=sys.stderr)
        return 1
    return 0
