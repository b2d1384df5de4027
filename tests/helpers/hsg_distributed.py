"""Steps of HSG's head on two processes."""

import torch
from mmengine.model import MMDistributedDataParallel
from torch import nn

from .hsg import NO_GROUPS, tiny_head, tiny_views

#: Images of the views of each process, numbered across processes.
SPLITS = {
    'even': ((0, 0, 1, 1), (2, 2, 3, 3)),
    'uneven': ((0, 0), (1, 1, 2, 2, 3)),
    'one ignores everything': ((0, 1, 1, 0), (2, 2)),
}
HEADS = {
    'padded': dict(pad_length=30),
    'longest': dict(pad_length=None, graph_within_view=False),
    'first stage': NO_GROUPS,
}
#: Of the grouping of each process alone.
LOCAL = dict(pad_length=None, centroid_weight=0., local_means=True)


class WithLoss(nn.Module):
    """A model whose forward pass is its loss; it always has weights."""

    def __init__(self, **options):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(8, 1, 1, dtype=torch.float64))
        # Batch normalisation uses running statistics.
        self.head = tiny_head(**options).eval()

    def forward(self, embeddings, *args):
        return self.head.loss_from_embeddings(embeddings * self.scale, *args)


def views_of(split):
    """All views of a case, and the process of each."""
    one, other = SPLITS[split]
    inputs = tiny_views(one + other)
    rank = torch.arange(len(one + other)) >= len(one)
    if 'ignores' in split:
        inputs[1][rank] = -1
    return inputs, rank.long()


def run_step(model, inputs):
    """Losses, gradients of weights and of embeddings."""
    embeddings = inputs[0].detach().requires_grad_()
    # DDP reports a parameter without a gradient in the second pass.
    for _ in range(2):
        model.zero_grad()
        embeddings.grad = None
        losses = torch.stack([*model(embeddings, *inputs[1:]).values()])
        losses.sum().backward()
    gradients = {
        name.replace('module.', ''): parameter.grad
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
    return losses.detach(), gradients, embeddings.grad


def save_steps(rank, out):
    """Steps of all cases on this process, whose images start at 0."""
    results = {}
    for split in SPLITS:
        inputs, ranks = views_of(split)
        own = [value[ranks == rank] for value in inputs]
        own[2] = own[2] - own[2].min()
        for name, options in {**HEADS, 'local': LOCAL}.items():
            model = MMDistributedDataParallel(WithLoss(**options))
            results[split, name] = run_step(model, own)
            del model
        results[split, 'views'] = own
    torch.save(results, out / f'{rank}.pth')
