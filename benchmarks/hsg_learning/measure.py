"""What a model has learned: retrieval, and segments against the truth.

Legend: B images, H x W pixels.
"""

import math
from collections import defaultdict
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmhierseg.datasets.scenes import (
    FIRST_VAL_INDEX,
    Scene,
    SceneOptions,
    make_scene,
)
from mmhierseg.evaluation import MemoryBank
from mmhierseg.evaluation.functional import mean_iou, nf_covering
from mmhierseg.models import HSG
from mmhierseg.ops import cluster_views

__all__ = ['GRIDS', 'KINDS', 'make_scenes', 'measure']

#: Numbers of segments, and the grids from which k-means makes so many: those
#: of retrieval, and as many as HSG has fine and coarse groups.
GRIDS = {36: (6, 6), 8: (2, 4), 4: (2, 2)}
#: What segments are compared with.
KINDS = ('part', 'object')
_BATCH_SIZE = 16
#: Scenes with labels to look segments up in; training takes those before.
_FIRST_BANK_INDEX = 1_000_000


def make_scenes(num: int, test: bool, options: dict) -> List[Scene]:
    """Make scenes that no model is trained on.

    Args:
        num (int): How many.
        test (bool): Whether to test, or to look segments up in.
        options (dict): Arguments of ``SceneOptions``.

    Returns:
        List[Scene]: The scenes.
    """
    first = FIRST_VAL_INDEX if test else _FIRST_BANK_INDEX
    return [
        make_scene(0, first + i, SceneOptions(**options)) for i in range(num)
    ]


@torch.no_grad()
def measure(model: HSG, bank: Sequence[Scene],
            test: Sequence[Scene]) -> Dict[str, float]:
    """Measure retrieval and covering.

    Args:
        model (HSG): In evaluation mode.
        bank (Sequence[Scene]): Labelled scenes to look segments up in.
        test (Sequence[Scene]): What is segmented.

    Returns:
        Dict[str, float]: From 0 to 1: 'mIoU' of retrieval by the segments of
        k-means; 'kmeans/KIND/K', the NFCovering of :data:`KINDS` by K
        segments of k-means, for each K of :data:`GRIDS`; and, if the model
        has groups, 'own/KIND/K' by its fine and coarse ones, of segments from
        the grid that it was trained with.
    """
    model.set_bank(_make_bank(model, bank))
    confusion = 0
    coverings: Dict[str, List[float]] = defaultdict(list)
    for scenes, data in _batches(model, test):
        embeddings = model.upsampled(data['inputs'])
        fewer, groups = _cluster(model, embeddings), _group(model, embeddings)
        samples = model.predict(**data)
        for i, (scene, sample) in enumerate(zip(scenes, samples)):
            confusion += _confusion(scene.semantic,
                                    sample.pred_sem_seg.data[0].numpy(),
                                    model.num_classes)
            segments = sample.pred_hierarchy.data[0].numpy()
            levels = dict(kmeans=[segments, *fewer[i]])
            if groups is not None:
                levels['own'] = [None, *groups[i]]
            for name, value in _cover(levels, scene).items():
                coverings[name].append(value)
    return dict(
        mIoU=mean_iou(confusion),
        **{name: math.fsum(values) / len(values)
           for name, values in coverings.items()})


def _make_bank(model: HSG, scenes: Sequence[Scene]) -> MemoryBank:
    entries = [
        model.bank_entries(**data)[:2] for _, data in _batches(model, scenes)
    ]
    return MemoryBank(*(torch.cat(part) for part in zip(*entries)))


def _batches(
    model: HSG, scenes: Sequence[Scene]
) -> Iterator[Tuple[Sequence[Scene], Dict[str, Any]]]:
    """Batches of scenes, and what the model takes."""
    for start in range(0, len(scenes), _BATCH_SIZE):
        batch = scenes[start:start + _BATCH_SIZE]
        # BGR, as images are loaded.
        images = [
            torch.from_numpy(scene.image[..., ::-1].copy()).permute(2, 0, 1)
            for scene in batch
        ]
        yield batch, model.data_preprocessor(
            dict(inputs=images, data_samples=[_sample(x) for x in batch]))


def _sample(scene: Scene) -> SegDataSample:
    size = scene.semantic.shape
    sample = SegDataSample(metainfo=dict(img_shape=size, ori_shape=size))
    truth = torch.from_numpy(scene.semantic.astype(np.int64))
    sample.gt_sem_seg = PixelData(data=truth[None])
    return sample


def _cluster(model: HSG, embeddings: torch.Tensor) -> np.ndarray:
    """(B, 2, H, W) segments of k-means, of the smaller grids."""
    return torch.stack([
        cluster_views(embeddings, grid, model.kmeans_iterations)
        for grid in list(GRIDS.values())[1:]
    ], dim=1).numpy()


def _group(model: HSG, embeddings: torch.Tensor) -> Optional[np.ndarray]:
    """(B, 2, H, W) fine and coarse groups, if the model has any."""
    if not model.head.with_groups:
        return None
    hierarchy = model.head.hierarchy_from_embeddings(embeddings)
    return torch.stack([hierarchy.label_map(level) for level in (1, 2)],
                       dim=1).numpy()


def _confusion(truth: np.ndarray, prediction: np.ndarray,
               num_classes: int) -> np.ndarray:
    pairs = num_classes * truth.astype(np.int64) + prediction
    counts = np.bincount(pairs.ravel(), minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def _cover(maps: Dict[str, Sequence[Optional[np.ndarray]]],
           scene: Scene) -> Dict[str, float]:
    """NFCovering of the parts and objects of a scene by what there is."""
    regions = dict(zip(KINDS, (scene.part_instances,
                               scene.objects.astype(np.int64))))
    return {
        f'{name}/{kind}/{size}': nf_covering(segments, regions[kind])
        for name, levels in maps.items()
        for size, segments in zip(GRIDS, levels) if segments is not None
        for kind in KINDS
    }
