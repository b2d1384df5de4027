"""Work for two processes, importable by the processes that tests spawn."""

import socket
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.model import MMDistributedDataParallel

from .cast import tiny_cast


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


def mean_square(result):
    """A loss of what a head would take: segment tokens, or every map."""
    if hasattr(result[0], 'tokens'):
        return result[0].tokens.square().mean()
    return sum(value.square().mean() for value in result)


def save_gradients(rank, port, options, inputs, out):
    """Gradients of a data-parallel CAST, written by the first process."""
    torch.set_num_threads(1)
    dist.init_process_group(
        'gloo', f'tcp://127.0.0.1:{port}', rank=rank, world_size=2)
    # In float64: gradients that cancel out are no more than rounding errors.
    model = MMDistributedDataParallel(tiny_cast(**options).double().train())
    # Twice: a parameter without a gradient is found out by the second pass.
    for _ in range(2):
        model.zero_grad()
        mean_square(model(inputs[2 * rank:2 * rank + 2])).backward()
    if rank == 0:
        gradients = {
            name: parameter.grad
            for name, parameter in model.module.named_parameters()
            if parameter.requires_grad
        }
        torch.save(gradients, out)
    # Its reducer waits for the group when it goes, so it must go first.
    del model
    dist.destroy_process_group()
