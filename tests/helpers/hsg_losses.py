"""All losses of HSG from one small network, on one process or on two."""

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mmhierseg._base.gathering import all_reduce_max
from mmhierseg.models import (
    CentroidContrastLoss,
    DMoNLoss,
    PixelSegmentContrastLoss,
)
from mmhierseg.ops import (
    cluster_views,
    joint_labels,
    knn_adjacency,
    segment_sequences,
)

from .hsg_segments import segment_rows


class TinyHSG(nn.Module):
    """Linear embeddings and groups in place of the networks."""

    def __init__(self, channels, dims=6, groups=3):
        super().__init__()
        self.embed = nn.Conv2d(channels, dims, 1)
        self.group = nn.Linear(dims, groups)
        self.contrast = PixelSegmentContrastLoss()
        self.goodness = DMoNLoss()
        self.centroids = CentroidContrastLoss()

    def forward(self, inputs, regions, image_index):
        """(4,) losses: of regions, of groups, goodness, centroids."""
        embeddings = self.embed(inputs)
        clusters = cluster_views(embeddings, (2, 2), 3, regions < 0)
        pixels, segments, prototypes, parts = segment_rows(
            embeddings, clusters, regions)
        sequences = segment_sequences(parts.views, image_index)
        length = all_reduce_max(sequences.padding.size(1))
        sequences = segment_sequences(parts.views, image_index, length)
        tokens = sequences.pad(prototypes)
        groups = self.group(tokens).softmax(dim=2)
        labels = torch.stack([
            joint_labels(sequences.images, names)[0]
            for names in (parts.regions,
                          sequences.unpad(groups).argmax(dim=1))
        ])
        adjacency = knn_adjacency(tokens, 2, sequences.padding,
                                  sequences.views)
        return torch.cat([
            self.contrast(pixels, segments, prototypes, labels),
            self.goodness(groups, adjacency, sequences.padding)[None],
            self.centroids(groups.transpose(1, 2) @ tokens)[None]
        ])


def tiny_hsg(channels):
    """The network in float64, with the same weights each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TinyHSG(channels).double()


def losses_and_gradients(model, batch):
    """Losses, and gradients of their sum by the names of the parameters."""
    losses = model(*batch)
    losses.sum().backward()
    return losses.detach(), {
        name.replace('module.', ''): parameter.grad
        for name, parameter in model.named_parameters()
    }


def losses_on_two(rank, port, batches, folder):
    """Losses and gradients of batches, each a pair of the processes' own."""
    torch.set_num_threads(1)
    dist.init_process_group(
        'gloo', f'tcp://127.0.0.1:{port}', rank=rank, world_size=2)
    results = []
    for batch in batches:
        model = DistributedDataParallel(tiny_hsg(batch[rank][0].size(1)))
        results.append(losses_and_gradients(model, batch[rank]))
        # Its reducer waits for the group when it goes, so it must go first.
        del model
    torch.save(results, folder / f'{rank}')
    dist.destroy_process_group()
