"""Work for two processes, importable by the processes that tests spawn."""

import gc
import os
import tempfile
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def run_on_two_processes(work, *args, timeout=300):
    """Call ``work(rank, *args)`` on two processes of a group."""
    deadline = time.monotonic() + timeout
    with tempfile.TemporaryDirectory() as folder:
        context = mp.spawn(
            _work, (f'file://{folder}/store', work, args), nprocs=2,
            join=False)
        try:
            # Each call waits for one process; it is True once all have ended.
            while not context.join(max(0, deadline - time.monotonic())):
                if time.monotonic() > deadline:
                    raise TimeoutError(
                        f'{work.__name__} still runs after {timeout} s')
        finally:
            for process in context.processes:
                process.kill()


def _work(rank, store, work, args):
    torch.set_num_threads(1)
    os.environ['LOCAL_RANK'] = str(rank)
    dist.init_process_group('gloo', store, rank=rank, world_size=2)
    work(rank, *args)
    # Wrappers of models must not outlive the group.
    gc.collect()
    dist.destroy_process_group()
