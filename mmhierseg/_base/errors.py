"""Errors that a user can mend, and how the command-line tools print them."""

import os
import sys
from collections.abc import Callable
from pathlib import Path


class UserError(ValueError):
    """A file, a dataset or a setting is wrong; the message says what to do.

    :func:`run_command` prints it without a traceback.
    """


def run_command(main: Callable[[], None]) -> int:
    """Run a command; print a :class:`UserError` without its traceback.

    The error may come from a worker process of a data loader. Other errors
    are defects and keep their traceback; with ``MMHIERSEG_TRACEBACK=1`` in
    the environment, all do. Returns the exit status, 0 or 1.
    """
    try:
        main()
    except UserError as error:
        if os.environ.get('MMHIERSEG_TRACEBACK'):
            raise
        # From a loader's worker, PyTorch raises the text of the traceback.
        message = str(error).rpartition(f'{UserError.__name__}: ')[2].rstrip()
        print(f'{Path(sys.argv[0]).name}: error: {message}', file=sys.stderr)
        return 1
    return 0
