"""Work for two processes, importable by the processes that tests spawn."""

import socket
import time

import torch.multiprocessing as mp


def run_on_two_processes(work, *args, timeout=300):
    """Call ``work(rank, port, *args)`` on two processes."""
    context = mp.spawn(work, (free_port(), *args), nprocs=2, join=False)
    deadline = time.monotonic() + timeout
    try:
        # Each call waits for one process; it is True once all have ended.
        while not context.join(max(0, deadline - time.monotonic())):
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f'{work.__name__} still runs after {timeout} s')
    finally:
        for process in context.processes:
            process.kill()


def free_port():
    """A port of this machine that nobody listens on."""
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        return server.getsockname()[1]
