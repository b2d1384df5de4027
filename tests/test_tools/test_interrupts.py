import signal
import threading

import pytest
from interrupts import block_interrupts


def interrupt():
    """This thread: another one, of a library, must not take it instead."""
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)


def test_an_interrupt_waits():
    reached = []
    with pytest.raises(KeyboardInterrupt):
        with block_interrupts():
            interrupt()
            reached.append('the end of the block')
    assert reached == ['the end of the block']
    with pytest.raises(KeyboardInterrupt):
        interrupt()


def test_blocks_in_blocks():
    with pytest.raises(KeyboardInterrupt):
        with block_interrupts():
            with block_interrupts():
                pass
            interrupt()
            reached = True
    assert reached


def test_without_signals_to_block(monkeypatch):
    monkeypatch.delattr(signal, 'pthread_sigmask')
    with pytest.raises(KeyboardInterrupt), block_interrupts():
        interrupt()
        pytest.fail('went on')
