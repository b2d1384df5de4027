"""The methods that are compared, and the images they are run on."""

import os
from typing import Dict, List, NamedTuple, Optional

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mmhierseg.datasets.scenes import Scene, SceneOptions, make_scene
from mmhierseg.registry import SUPERPIXELS
from tools.dataset_converters.skimage_photos import find_photographs

__all__ = ['BASELINE', 'METHODS', 'Method', 'make_photographs', 'make_scenes']

_SWITCH = 'MMHIERSEG_COMPILED'


class _Setting(NamedTuple):
    """How to build a method."""

    options: dict
    compiled: Optional[bool] = None
    """Whether by compiled functions; None if the method has none."""


BASELINE = 'SEEDS, 15 bins, 20 iterations'
METHODS: Dict[str, _Setting] = {
    BASELINE: _Setting(dict(type='SEEDS')),
    'SEEDS, 5 bins, 15 iterations': _Setting(
        dict(type='SEEDS', histogram_bins=5, num_iterations=15)),
    'SLIC of scikit-image': _Setting(dict(type='SLIC')),
    'TorchSLIC': _Setting(dict(type='TorchSLIC'), compiled=True),
    'TorchSLIC, torch only': _Setting(dict(type='TorchSLIC'), compiled=False),
    'TorchSLIC, half resolution': _Setting(
        dict(type='TorchSLIC', half_resolution=True), compiled=True),
    'TorchSLIC, half resolution, torch only': _Setting(
        dict(type='TorchSLIC', half_resolution=True), compiled=False),
    'grid': _Setting(dict(type='Grid')),
}


class Method:
    """A method of ``METHODS``; calling it divides a batch of images.

    Args:
        name (str): Which one.
        segment_size (int): Side of the average segment in pixels.
    """

    def __init__(self, name: str, segment_size: int) -> None:
        setting = METHODS[name]
        self.superpixels = SUPERPIXELS.build(
            dict(setting.options, segment_size=segment_size))
        self.compiled = setting.compiled

    def __call__(self, images: Tensor) -> Tensor:
        """Divide (B, 3, H, W) uint8 images; labels (B, H, W) int64."""
        before = os.environ.get(_SWITCH)
        if self.compiled is not None:
            os.environ[_SWITCH] = str(int(self.compiled))
        try:
            return self.superpixels(images)
        finally:
            if before is not None:
                os.environ[_SWITCH] = before
            else:
                os.environ.pop(_SWITCH, None)


def make_photographs(number: int, size: int) -> Tensor:
    """Photographs that scikit-image ships, scaled to squares.

    Args:
        number (int): How many; from the first again after the last.
        size (int): Height and width.

    Returns:
        Tensor: (number, 3, size, size) uint8, RGB.
    """
    paths, images = find_photographs(), []
    for index in range(number):
        with Image.open(paths[index % len(paths)]) as photo:
            photo = photo.convert('RGB').resize((size, size),
                                                Image.Resampling.BICUBIC)
        images.append(torch.from_numpy(np.array(photo)).permute(2, 0, 1))
    return torch.stack(images)


def make_scenes(number: int, size: int) -> List[Scene]:
    """Part-whole scenes, whose regions are known.

    Args:
        number (int): How many.
        size (int): Height and width.

    Returns:
        list[Scene]: The first of the generator.
    """
    options = SceneOptions(size=(size, size))
    return [make_scene(0, index, options) for index in range(number)]
