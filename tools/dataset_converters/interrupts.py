"""What an interrupt (Ctrl+C) reaches."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ['block_interrupts']


@contextmanager
def block_interrupts() -> Iterator[None]:
    """Block interrupts, for processes that are started within the block.

    The terminal interrupts all processes of a program. Those that are started
    here inherit that interrupts are blocked, so that none reaches them, not
    even before they could say so themselves; for this thread they are blocked
    until the block is left. (Python still hears of one if another thread is
    there to take it.) Where signals cannot be blocked (Windows), nothing is.

    Example:
        >>> with block_interrupts():
        ...     pass
    """
    if not hasattr(signal, 'pthread_sigmask'):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
