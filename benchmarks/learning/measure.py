"""What a backbone has learned: recognition and segmentation of scenes."""

from typing import Callable, Dict, List, NamedTuple, Optional, Sequence

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed
from torch import Tensor, nn

from mmhierseg.checkpoints import read_checkpoint, read_safely
from mmhierseg.datasets.scenes import (
    FIRST_VAL_INDEX,
    PARTS,
    SceneOptions,
    class_names,
    make_scene,
)
from mmhierseg.evaluation.functional import (
    explained_variation,
    mean_iou,
    region_miou,
)
from mmhierseg.registry import MODELS
from mmhierseg.superpixels import TorchSLIC

from .photographs import PHOTOGRAPHS, make_crop
from .probe import probe
from .segment import segment, segment_by_colour

__all__ = [
    'Images', 'load_backbone', 'make_photographs', 'make_scenes', 'measure',
    'measure_colours'
]

_BATCH_SIZE = 64
#: Scenes to learn the probe from; training takes those before.
_FIRST_PROBE_INDEX = 1_000_000


class Images(NamedTuple):
    """Images with their labels."""

    images: Tensor
    """(N, 3, H, W) float32, RGB in 0..255."""
    labels: Tensor
    """(N,) int64, categories."""
    truth: Dict[str, np.ndarray]
    """(N, H, W) uint8 each: 'part' and 'object' (its category), 0 =
    background. Photographs have none."""


def make_scenes(num: int, test: bool, options: dict) -> Images:
    """Make scenes that no model is trained on.

    Args:
        num (int): N.
        test (bool): Whether to test, or to learn the probe from.
        options (dict): Arguments of ``SceneOptions``.

    Returns:
        Images: The scenes.
    """
    first = FIRST_VAL_INDEX if test else _FIRST_PROBE_INDEX
    scenes = [
        make_scene(0, first + i, SceneOptions(**options)) for i in range(num)
    ]
    images = torch.from_numpy(np.stack([scene.image for scene in scenes]))
    return Images(
        images.permute(0, 3, 1, 2).float(),
        torch.tensor([scene.label for scene in scenes]),
        dict(
            part=np.stack([scene.parts for scene in scenes]),
            object=np.stack([scene.semantic for scene in scenes])))


def make_photographs(num: int, test: bool, size: int) -> Images:
    """Cut crops out of photographs that no model is trained on.

    Args:
        num (int): N.
        test (bool): Whether to test, or to learn the probe from.
        size (int): Side of a crop in pixels.

    Returns:
        Images: Crops; a label is a photograph.
    """
    indices = range(_FIRST_PROBE_INDEX, _FIRST_PROBE_INDEX + num)
    crops = np.stack([make_crop(i, size, test) for i in indices])
    labels = torch.tensor([i % len(PHOTOGRAPHS) for i in indices])
    images = torch.from_numpy(crops).permute(0, 3, 1, 2).float()
    return Images(images, labels, {})


def load_backbone(cfg: Config, seed: int,
                  checkpoint: Optional[str] = None) -> nn.Module:
    """Build a pre-training model and take its backbone.

    Args:
        cfg (Config): Of the model.
        seed (int): Seed of its initialisation.
        checkpoint (str, optional): File with its weights. Defaults to None:
            it stays as initialised.

    Returns:
        nn.Module: In evaluation mode; takes normalised images.

    Raises:
        RuntimeError: If the weights are another model's.
    """
    init_default_scope('mmpretrain')
    read_safely()
    set_random_seed(seed)
    model = MODELS.build(cfg.model)
    model.init_weights()
    if checkpoint is not None:
        model.load_state_dict(read_checkpoint(checkpoint)['state_dict'])
    # MoCoV3ViT's own eval() returns nothing.
    model.backbone.eval()
    return model.backbone


@torch.no_grad()
def measure(backbone: nn.Module, normalise: Callable[[Tensor], Tensor],
            training: Images, test: Images,
            sizes: Sequence[int]) -> Dict[str, float]:
    """Linear probing, and what its segments could be labelled to at best.

    Args:
        backbone (nn.Module): CAST or a ViT of MMPretrain.
        normalise (Callable): Takes (B, 3, H, W) RGB in 0..255 to what the
            backbone takes.
        training (Images): What the probe learns from.
        test (Images): What is recognised and segmented.
        sizes (Sequence[int]): Numbers of segments, those of CAST's levels.

    Returns:
        Dict[str, float]: 'accuracy' and, for each number K of segments,
        'part/K' and 'object/K' (mean IoU) or, without ground truth,
        'explained/K' (explained variation); all from 0 to 1.
    """
    accuracy = probe(
        _features(backbone, normalise(training.images)), training.labels,
        _features(backbone, normalise(test.images)), test.labels)
    maps = [
        segment(backbone, normalise(images), sizes)
        for images in test.images.split(_BATCH_SIZE)
    ]
    return dict(accuracy=accuracy, **_quality(maps, test, sizes))


def measure_colours(test: Images, sizes: Sequence[int]) -> Dict[str, float]:
    """The same for clusters of superpixels' colours, without the probe."""
    superpixels = TorchSLIC(segment_size=16)
    maps = [
        segment_by_colour(images, superpixels(images), sizes)
        for images in test.images.split(_BATCH_SIZE)
    ]
    return _quality(maps, test, sizes)


def _features(backbone: nn.Module, images: Tensor) -> Tensor:
    """(N, C) image features: the class token."""
    features = []
    for batch in images.split(_BATCH_SIZE):
        features.append(backbone(batch)[-1])
    return torch.cat(features)


def _quality(maps: List[List[Tensor]], test: Images,
             sizes: Sequence[int]) -> Dict[str, float]:
    maps = [torch.cat(level).numpy() for level in zip(*maps)]
    if test.truth:
        return _region_miou(maps, test.truth, sizes)
    images = test.images.permute(0, 2, 3, 1).numpy()
    return {
        f'explained/{size}': float(
            np.mean([
                explained_variation(segments, image)
                for segments, image in zip(level, images)
            ]))
        for size, level in zip(sizes, maps)
    }


def _region_miou(maps: List[np.ndarray], truth: Dict[str, np.ndarray],
                 sizes: Sequence[int]) -> Dict[str, float]:
    num_classes = dict(part=1 + len(PARTS), object=1 + len(class_names()))
    result = {}
    for kind, targets in truth.items():
        for size, level in zip(sizes, maps):
            confusion = sum(
                region_miou(segments, target.astype(np.int64),
                            num_classes[kind])
                for segments, target in zip(level, targets))
            result[f'{kind}/{size}'] = mean_iou(confusion)
    return result
