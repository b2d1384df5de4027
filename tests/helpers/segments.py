"""Segment tokens that heads are tested with."""

import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmhierseg.structures import SegmentTokens


def random_segments(size=(8, 12), num_segments=6, channels=16, empty=False,
                    seed=0):
    """Tokens of two images, of which the first may have fewer segments.

    Some pixels have no segment.
    """
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(2, num_segments, channels, generator=generator)
    labels = torch.randint(
        -1, num_segments, (2, *size), generator=generator)
    mask = None
    if empty:
        mask = torch.zeros(2, num_segments, dtype=torch.bool)
        mask[0, 4:] = True
        labels[0] = labels[0].clamp(max=3)
        tokens[0, 4:] = 0
    return SegmentTokens(tokens.mean(1), tokens, labels, mask)


def samples_of(segments, num_classes=5, size=None, seed=0):
    """Ground truth, some of it ignored, a sample for each image."""
    generator = torch.Generator().manual_seed(seed)
    size = size or segments.labels.shape[1:]
    target = torch.randint(
        0, num_classes + 1, (len(segments.labels), *size),
        generator=generator)
    target[target == num_classes] = 255
    return [
        SegDataSample(gt_sem_seg=PixelData(data=classes[None]))
        for classes in target
    ]
