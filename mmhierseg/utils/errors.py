"""Errors that a user of the command line can mend, told in one message."""

import sys
from pathlib import Path
from typing import Callable

__all__ = ['CommandError', 'run_command']


class CommandError(Exception):
    """What a command was given cannot work; the message says the remedy.

    :func:`run_command` prints it without a traceback. Anything else that is
    raised keeps its traceback, because it is not the user's fault.
    """


def run_command(main: Callable[[], None]) -> int:
    """Run a command and turn a :class:`CommandError` into a message.

    Args:
        main (Callable): The command. It takes no arguments.

    Returns:
        int: Exit status, 0 or 1.

    Example:
        >>> run_command(lambda: None)
        0
    """
    try:
        main()
    except CommandError as error:
        print(f'{Path(sys.argv[0]).name}: error: {error}', file=sys.stderr)
        return 1
    return 0
