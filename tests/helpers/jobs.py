"""Work for processes, which import it by this module's name."""

import os
import signal
import time
from pathlib import Path


def its_process(job):
    """Whether it is another process than the one of that number."""
    if job == -1:
        raise ValueError('bad job')
    if job == -2:
        os._exit(9)
    return os.getpid() != job


def interrupt_waits(job):
    """Whether an interrupt would not reach this process."""
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def write_slowly(path):
    """Write a file in two steps."""
    Path(path).write_text('begun')
    time.sleep(0.3)
    Path(path).write_text('begun, done')
    return True
