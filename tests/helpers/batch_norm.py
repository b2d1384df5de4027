"""A weighted batch norm on two processes."""

import torch
from torch import nn

from mmhierseg.models.utils import weighted_batch_norm


def rows_of_two_processes():
    """Rows, how often each counts, and gradients, for two processes."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 2, 6, 5, generator=generator).double()
    weights = torch.randint(0, 4, (2, 2, 6), generator=generator)
    return x, weights, torch.randn(2, 2, 6, 5, generator=generator).double()


def normalise_on_process(rank, folder):
    x, weights, grad = (values[rank] for values in rows_of_two_processes())
    norm = nn.SyncBatchNorm(5).double()
    y = weighted_batch_norm(norm, x.requires_grad_(), weights)
    y = y * (weights > 0)[..., None]
    y.backward(grad)
    torch.save([y.detach(), x.grad, norm.running_mean, norm.running_var],
               f'{folder}/{rank}.pth')
