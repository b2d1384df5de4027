"""Naive reference of HSG's k-means, contrast and grouping: the formulas.

Views and images one after the other, all pixels against all segments at once.

Legend: as in ``hsg_batch``.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.hsg_batch import (
    GRID,
    ITERATIONS,
    KAPPA,
    NEIGHBOURS,
    Batch,
    split_centroids,
)

__all__ = ['contrast', 'grouping', 'kmeans']


def kmeans(batch: Batch) -> Tensor:
    """See the package's :func:`.hsg.kmeans`."""
    _, _, height, width = batch.embeddings.shape
    device = batch.embeddings.device
    y, x = torch.meshgrid(
        torch.linspace(0, 1, height, device=device) - 0.5,
        torch.linspace(0, 1, width, device=device) - 0.5,
        indexing='ij')
    rows, columns = (
        torch.linspace(0, number - 1, side, device=device).round().long()
        for number, side in zip(GRID, (height, width)))
    start = rows[:, None] * GRID[1] + columns
    result = []
    for embedding in batch.embeddings:
        unit = F.normalize(embedding, dim=0)
        features = F.normalize(torch.cat([unit, torch.stack([y, x])]), dim=0)
        features = features.flatten(1).t()
        labels = start.flatten()
        for _ in range(ITERATIONS):
            member = F.one_hot(labels, GRID[0] * GRID[1]).float()
            prototypes = F.normalize(member.t() @ features, dim=1)
            similarity = features @ prototypes.t()
            similarity[:, member.sum(dim=0) == 0] = -torch.inf
            labels = similarity.argmax(dim=1)
        result.append(labels.view(height, width))
    return torch.stack(result)


def contrast(batch: Batch) -> Tensor:
    """See the package's :func:`.hsg.contrast`."""
    views = batch.views
    similarity = (KAPPA * views.pixels @ views.prototypes.t()).exp()
    own = F.one_hot(views.own, len(views.prototypes)).bool()
    losses = []
    for labels in batch.labels:
        same = labels[views.own][:, None] == labels
        positive = same & ~own
        # The own segment where there is no other.
        positive |= own & ~positive.any(dim=1, keepdim=True)
        above = (similarity * positive).sum(dim=1)
        below = (similarity * ~same).sum(dim=1)
        losses.append(-(above / (above + below)).log().mean())
    return torch.stack(losses)


def grouping(batch: Batch) -> Tensor:
    """See the package's :func:`.hsg.grouping`."""
    graphs = _graphs(batch)
    losses = []
    for logits in (batch.fine, batch.coarse):
        values = []
        for graph, one, padding in zip(graphs, logits,
                                       batch.sequences.padding):
            number = int((~padding).sum())
            assignment = one.softmax(dim=0)[:, :number].t()
            degree = graph.sum(dim=1)
            m2 = 2 * degree.sum()
            expected = degree[:, None] * degree / m2
            modularity = torch.trace(
                assignment.t() @ (graph - expected) @ assignment) / m2
            collapse = assignment.sum(dim=0).norm() * len(one)**0.5
            values.append(1 - modularity + collapse / len(padding))
        losses.append(torch.stack(values).mean())
    for centroids in split_centroids(batch):
        unit = F.normalize(centroids.flatten(0, 1), dim=1)
        own = torch.arange(len(unit), device=unit.device)
        losses.append(F.cross_entropy(KAPPA * unit @ unit.t(), own))
    return torch.stack(losses)


def _graphs(batch: Batch) -> list[Tensor]:
    """Nearest segments within each view, image by image."""
    sequences = batch.sequences
    tokens = sequences.pad(batch.views.prototypes.detach())
    graphs = []
    for rows, padding, views in zip(tokens, sequences.padding,
                                    sequences.views):
        rows, views = rows[~padding], views[~padding]
        weight = (5 * rows @ rows.t()).exp().fill_diagonal_(0)
        graph = torch.zeros_like(weight)
        for view in views.unique():
            columns = views == view
            part = weight[:, columns]
            least = part.topk(min(NEIGHBOURS, part.size(1)), dim=1).values
            graph[:, columns] = ((part >= least[:, -1:]) & (part > 0)).float()
        graphs.append(graph)
    return graphs
