"""Errors that a user of the command line can mend, told in one message."""

import dis
import os
import re
import sys
from pathlib import Path
from typing import Callable, Optional

__all__ = ['UserError', 'run_command']

#: Set to anything, this variable of the environment keeps all tracebacks.
_KEEP = 'MMHIERSEG_TRACEBACK'
_PACKAGE = Path(__file__).resolve().parents[1]
# What PyTorch makes of an error in a worker of a data loader: the text of its
# traceback. The last entry tells where the error was raised, and how.
_IN_WORKER = re.compile(
    r'Caught \w+ in DataLoader worker process.*'
    r'\n  File "(?P<file>[^"\n]+)", line \d+, in [^\n]+\n    raise\b[^\n]*\n'
    r'(?:    [ ~^]+\n)?[\w.]+: (?P<message>.*)', re.DOTALL)


class UserError(ValueError):
    """What a command was given cannot work; the message says the remedy.

    :func:`run_command` prints it without a traceback.
    """


def run_command(main: Callable[[], None]) -> int:
    """Run a command and turn errors that are meant for its user into messages.

    These are a :class:`UserError`, and what a ``raise`` of this package
    has refused: a setting, a file, a label, also in a worker of a data
    loader. Anything else keeps its traceback, because it is not the user's
    fault; with ``MMHIERSEG_TRACEBACK=1`` in the environment, everything does.

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
    except UserError as error:
        message = str(error)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        message = None if os.environ.get(_KEEP) else _own_message(error)
        if message is None:
            raise
        message += f'\n({_KEEP}=1 shows where this was found.)'
    else:
        return 0
    print(f'{Path(sys.argv[0]).name}: error: {message}', file=sys.stderr)
    return 1


def _own_message(error: Exception) -> Optional[str]:
    """Message of an error that this package has raised, else None."""
    trace = error.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    # Not of what fails by itself, as `int('x')`: that is a defect.
    raised = dis.opname[code.co_code[trace.tb_lasti]] == 'RAISE_VARARGS'
    if raised and _is_own(code.co_filename):
        return str(error)
    found = _IN_WORKER.fullmatch(str(error))
    if found is not None and _is_own(found['file']):
        return found['message'].rstrip()
    return None


def _is_own(file: str) -> bool:
    return _PACKAGE in Path(file).resolve().parents
