"""Data samples of segmentors, and evaluators over them."""

import numpy as np
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from scipy.ndimage import gaussian_filter

from mmhierseg.structures import SegmentHierarchy, add_hierarchy

CLASSES = ('background', 'a', 'b', 'c', 'd')
METRICS = [
    dict(type=f'mmhierseg.{name}', **options) for name, options in dict(
        BoundaryFScore={}, NFCovering={}, RegionMIoU={},
        SuperpixelQuality=dict(levels=None)).items()
]


def blobs(rng, num_labels, sigma=4., shape=(37, 58)):
    """(H, W) int64 labels in connected shapes."""
    noise = rng.standard_normal((num_labels, *shape))
    return gaussian_filter(noise, (0, sigma, sigma)).argmax(0)


def make_sample(seed):
    """Image and data sample: prediction, truth and a hierarchy of 3 levels.

    Images differ in size, and one in five has no foreground.
    """
    rng = np.random.default_rng(seed)
    shape = (30 + seed % 3, 41 + seed % 4)
    target = blobs(rng, 5, shape=shape)
    pred = np.where(
        blobs(rng, 4, shape=shape) == 0, np.roll(target, 2, 1), target)
    if seed % 5 == 4:
        target = np.zeros_like(target)
    target[blobs(rng, 7, shape=shape) == 0] = 255
    sample = SegDataSample(metainfo=dict(img_path=f'{seed}.png'))
    sample.gt_sem_seg = PixelData(data=torch.tensor(target[None]))
    sample.pred_sem_seg = PixelData(data=torch.tensor(pred[None]))
    labels = blobs(rng, 30, 2, shape)
    labels[blobs(rng, 9, 3, shape) == 0] = -1
    parents = [
        torch.from_numpy(rng.integers(0, n, (1, m)))
        for m, n in ((30, 10), (10, 4))
    ]
    add_hierarchy([sample],
                  SegmentHierarchy(torch.tensor(labels[None]), parents))
    image = torch.from_numpy(rng.integers(0, 256, (3, *shape), np.uint8))
    return image, sample


def evaluate(indices, size=None, metrics=METRICS, samples=None, batch_size=2):
    """Results of MMEngine's evaluator for some images."""
    evaluator = Evaluator(metrics)
    evaluator.dataset_meta = dict(classes=CLASSES)
    indices = list(indices)
    for start in range(0, len(indices), batch_size):
        pairs = [
            samples[i] if samples else make_sample(i)
            for i in indices[start:start + batch_size]
        ]
        images, batch = map(list, zip(*pairs))
        evaluator.process(batch, dict(inputs=images))
    return evaluator.evaluate(size or len(indices))


def save_evaluation(rank, number, out):
    """Evaluate every other image; the sampler repeats the first at the end."""
    indices = [i % number for i in range(rank, number + number % 2, 2)]
    torch.save(evaluate(indices, number), f'{out}{rank}')
