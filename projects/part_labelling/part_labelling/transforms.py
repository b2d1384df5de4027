"""The crop in which images are segmented, labelled and scored."""

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import PixelData
from mmseg.datasets.transforms import PackSegInputs
from PIL import Image

from mmhierseg._base.errors import UserError
from mmhierseg.datasets.part_imagenet_classes import (
    OBJECT_OF_PART,
    OBJECTS,
    PARTS,
)
from mmhierseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class CropForLabelling(BaseTransform):
    """Resize the shorter side, and crop the centre.

    As torchvision's ``Resize`` and ``CenterCrop`` of images of Pillow: the
    image bilinearly for the model, bicubically for CLIP and SAM, ground truth
    by nearest neighbour.

    Required Keys:

    - img: (H, W, 3) uint8 BGR.
    - gt_seg_map (optional)

    Modified Keys:

    - img, img_shape, gt_seg_map

    Added Keys:

    - crop: (size, size, 3) uint8 RGB, resized bicubically.

    Args:
        size (int): Side of the crop. Defaults to 224.
    """

    def __init__(self, size: int = 224) -> None:
        self.size = size

    def transform(self, results: dict) -> dict:
        """Resize and crop image and map."""
        rgb = np.ascontiguousarray(results['img'][..., ::-1])
        results['crop'] = self._crop(rgb, Image.Resampling.BICUBIC)
        bilinear = self._crop(rgb, Image.Resampling.BILINEAR)
        results['img'] = np.ascontiguousarray(bilinear[..., ::-1])
        results['img_shape'] = results['img'].shape[:2]
        if 'gt_seg_map' in results:
            results['gt_seg_map'] = self._crop(
                results['gt_seg_map'], Image.Resampling.NEAREST)
        return results

    def _crop(self, array: np.ndarray, resample: int) -> np.ndarray:
        height, width = array.shape[:2]
        short = min(height, width)
        # torchvision truncates the longer side.
        height, width = (
            int(self.size * side / short) for side in (height, width))
        image = Image.fromarray(array).resize((width, height), resample)
        top, left = (
            round((side - self.size) / 2) for side in (height, width))
        return np.array(
            image.crop((left, top, left + self.size, top + self.size)))


@TRANSFORMS.register_module()
class PackPartLabelling(PackSegInputs):
    """Pack what :class:`CropForLabelling` made, and the maps of both tasks.

    Ids count from 0, and the background is the last one.

    Required Keys:

    - img, crop
    - gt_seg_map: (H, W) uint8, parts from 1, background 0, as
      ``LoadPartMap`` gives them.

    Packed fields: ``inputs``, and in ``data_samples`` ``crop`` (3, H, W)
    uint8, ``gt_object`` and ``gt_part`` (1, H, W) int64.
    """

    def transform(self, results: dict) -> dict:
        """Pack an image."""
        parts = results.pop('gt_seg_map').astype(np.int64)
        if parts.max(initial=0) > len(PARTS):
            raise UserError(
                f"the map of '{results.get('img_path')}' has the label "
                f"{parts.max()}: labels='part' of PartImageNetDataset gives 0 "
                f'to {len(PARTS)}')
        packed = super().transform(results)
        objects = OBJECT_OF_PART[parts].astype(np.int64)
        crop = np.ascontiguousarray(results['crop'].transpose(2, 0, 1))
        fields = dict(
            crop=torch.from_numpy(crop),
            gt_part=torch.from_numpy((parts - 1) % (len(PARTS) + 1))[None],
            gt_object=torch.from_numpy(
                (objects - 1) % (len(OBJECTS) + 1))[None])
        for name, data in fields.items():
            packed['data_samples'].set_field(
                PixelData(data=data), name, dtype=PixelData)
        return packed
