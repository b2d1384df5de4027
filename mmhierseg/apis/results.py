"""From what a model finds in an image to a :class:`HierarchyResult`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmhierseg.structures import CASTOutput, SegmentHierarchy

from .hierarchy_result import HierarchyResult
from .label_maps import paint


def make_result(labels: Tensor,
                parents: Sequence[Tensor],
                tokens: Sequence[Tensor] = (),
                logits: Sequence[Tensor] = (),
                **options: Any) -> HierarchyResult:
    """Number the segments that the image has from 0, without gaps.

    Superpixels too thin to have a token belong to no segment at any level.

    Args:
        labels (Tensor): (1, H, W) integer, superpixels, -1 = none.
        parents (Sequence[Tensor]): Per step up, (1, N_l) int64.
        tokens (Sequence[Tensor]): Per level, (1, N_l, C).
        logits (Sequence[Tensor]): Per step up, (1, N_l, N_{l+1}), before the
            softmax.
        **options: Of :class:`HierarchyResult`.
    """
    pixels = labels[0].cpu().numpy()
    # Quicker than np.unique: pixels are many, segments few.
    used = np.flatnonzero(np.bincount(pixels.ravel() + 1)[1:])
    tables = [table[0].cpu().numpy() for table in parents]
    ancestors = used
    for table in tables:
        found = table[ancestors]
        used, ancestors = used[found >= 0], found[found >= 0]
    numbers = np.full(int(pixels.max(initial=-1)) + 2, -1, np.int32)
    numbers[used] = np.arange(len(used))
    kept, above_each = [used], []
    for table in tables:
        found, parent = np.unique(table[kept[-1]], return_inverse=True)
        kept.append(found)
        above_each.append(parent)
    features = [one[0].float().cpu().numpy()[some]
                for one, some in zip(tokens, kept)]
    soft = [
        torch.softmax(one[0].float(), 1).cpu().numpy()[np.ix_(some, above)]
        for one, some, above in zip(logits, kept, kept[1:])
    ]
    return HierarchyResult(
        paint(numbers, pixels), above_each,
        features if len(features) == len(kept) else None,
        soft if len(soft) == len(above_each) else None, **options)


def split_output(output: Any) -> list[tuple[SegmentHierarchy, list[Tensor],
                                            list[Tensor]]]:
    """Hierarchy, tokens and logits of each image, in main memory.

    Of models other than CAST, the hierarchy alone.
    """
    hierarchy, tokens, logits = output.hierarchy.cpu(), [], []
    if isinstance(output, CASTOutput):
        tokens = [*output.tokens, *output.centroids[len(output.tokens) - 1:]]
        logits = list(output.logits)
    return [(SegmentHierarchy(
        hierarchy.labels[i:i + 1], [x[i:i + 1] for x in hierarchy.parents]),
             [x[i:i + 1] for x in tokens], [x[i:i + 1] for x in logits])
            for i in range(len(hierarchy.labels))]
