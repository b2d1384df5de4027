"""Work for two processes, importable by the processes that tests spawn."""

import gc
import os
import socket
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def run_on_two_processes(work, *args, timeout=300):
    """Call ``work(rank, *args)`` on two processes of a group."""
    context = mp.spawn(
        _work, (free_port(), work, args), nprocs=2, join=False)
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


def _work(rank, port, work, args):
    torch.set_num_threads(1)
    os.environ['LOCAL_RANK'] = str(rank)
    dist.init_process_group(
        'gloo', f'tcp://127.0.0.1:{port}', rank=rank, world_size=2)
    work(rank, *args)
    # Wrappers of models must not outlive the group.
    gc.collect()
    dist.destroy_process_group()


def free_port():
    """A port of this machine that nobody listens on."""
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        return server.getsockname()[1]
