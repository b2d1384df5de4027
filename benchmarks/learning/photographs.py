"""Crops of the photographs that scikit-image ships: real images at hand.

A crop's label is the photograph that it is from. Models learn from the left
of a photograph and are tested on the right, so that they have seen the kind
of thing but not the place.
"""

from functools import cache
from typing import Callable, List, Sequence, Union

import numpy as np
from mmengine.dataset import BaseDataset
from PIL import Image

from mmhierseg.registry import DATASETS
from tools.dataset_converters.skimage_photos import find_photographs

__all__ = ['PHOTOGRAPHS', 'PhotographCrops', 'make_crop']

#: Files in scikit-image's package; a label is an index.
PHOTOGRAPHS = find_photographs()
#: Share of a photograph's width that is for training.
_TRAINING = 0.6
_LEAST_SIDE = 96


@cache
def _half(label: int, test: bool) -> np.ndarray:
    """One side of a photograph, (H, W, 3) uint8, RGB."""
    with Image.open(PHOTOGRAPHS[label]) as photo:
        photo = np.asarray(photo.convert('RGB'))
    border = round(_TRAINING * photo.shape[1])
    return photo[:, border:] if test else photo[:, :border]


def make_crop(index: int, size: int, test: bool) -> np.ndarray:
    """Cut a square out of a photograph at a random place and scale.

    Args:
        index (int): Number of the crop; the photograph is that of ``index``
            modulo 14.
        size (int): Side of the result in pixels.
        test (bool): Whether it is from the side that is for testing.

    Returns:
        np.ndarray: (size, size, 3) uint8, RGB.
    """
    image = _half(index % len(PHOTOGRAPHS), test)
    rng = np.random.default_rng([index, test])
    height, width = image.shape[:2]
    whole = min(height, width)
    side = int(rng.integers(min(_LEAST_SIDE, whole), whole + 1))
    top = int(rng.integers(0, height - side + 1))
    left = int(rng.integers(0, width - side + 1))
    crop = Image.fromarray(image[top:top + side, left:left + side])
    return np.asarray(crop.resize((size, size), Image.Resampling.BICUBIC))


@DATASETS.register_module()
class PhotographCrops(BaseDataset):
    """Crops for training, made when they are asked for.

    Args:
        num_scenes (int): Number of crops.
        size (Sequence[int]): (H, W) of a crop, both the same.
        pipeline (Sequence): Transforms. Defaults to ().
    """

    def __init__(self,
                 num_scenes: int,
                 size: Sequence[int],
                 pipeline: Sequence[Union[dict, Callable]] = ()) -> None:
        self.num_scenes = num_scenes
        self.size = size[0]
        super().__init__(pipeline=list(pipeline), serialize_data=False)

    def load_data_list(self) -> List[dict]:
        """List the crops, without making them."""
        return [dict(index=i) for i in range(self.num_scenes)]

    def prepare_data(self, idx: int) -> dict:
        """Make a crop and take it through the pipeline.

        Args:
            idx (int): Its number.

        Returns:
            dict: What the pipeline returns.
        """
        crop = make_crop(idx, self.size, test=False)
        # BGR, as files are read.
        return self.pipeline(dict(img=np.ascontiguousarray(crop[..., ::-1])))
