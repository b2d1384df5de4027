"""Predictions of images, and evaluators that two processes can run."""

import numpy as np
import torch
from mmengine.evaluator import Evaluator
from mmpretrain.structures import DataSample

from projects.hcast.hcast import HierarchyAccuracy, Taxonomy

TREE = Taxonomy.from_paths([('tench', 'fish', 'animal'),
                            ('pike', 'fish', 'animal'),
                            ('lorry', 'vehicle', 'artefact'),
                            ('dog', 'mammal', 'animal'),
                            ('church', 'building', 'artefact')],
                           ('species', 'family', 'kind'))
NUM_IMAGES = 7


def make_sample(seed):
    """A data sample with truth and prediction, half of which are paths."""
    rng = np.random.default_rng(seed)
    path = TREE.paths[rng.integers(5)].copy()
    if seed % 2:
        path[rng.integers(3)] = rng.integers(2)
    sample = DataSample().set_gt_label(int(rng.integers(5)))
    return sample.set_field(
        torch.tensor(path), 'pred_path', dtype=torch.Tensor) or sample


def evaluate(indices, size=None, classes=TREE.classes[0], batch_size=2):
    """Results of MMEngine's evaluator for some images."""
    evaluator = Evaluator([HierarchyAccuracy(TREE)])
    evaluator.dataset_meta = dict(classes=classes)
    indices = list(indices)
    for start in range(0, len(indices), batch_size):
        evaluator.process(
            [make_sample(i) for i in indices[start:start + batch_size]])
    return evaluator.evaluate(size or len(indices))


def save_evaluation(rank, number, out):
    """Evaluate every other image; the sampler repeats the first at the end."""
    indices = [i % number for i in range(rank, number + number % 2, 2)]
    torch.save(evaluate(indices, number), f'{out}{rank}')
