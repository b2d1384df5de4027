"""Ground truth of KITTI-STEP and PartImageNet."""

import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image

from mmhierseg._base.coco_masks import decode_mask
from mmhierseg._base.errors import UserError
from mmhierseg.registry import TRANSFORMS

from ..files import add_seg_map, check_annotated, load_labels, match_image
from ..part_imagenet_classes import OBJECT_OF_PART

#: Number of classes of Cityscapes, and the label of ignored pixels.
NUM_CLASSES, IGNORED = 19, 255


class _LoadGroundTruth(BaseTransform):

    def __init__(self,
                 annotated: str | None = None,
                 backend_args: dict | None = None) -> None:
        self.annotated = check_annotated(annotated)
        self.backend_args = backend_args


@TRANSFORMS.register_module()
class LoadPanopticMap(_LoadGroundTruth):
    """Load the semantic labels of a panoptic map of KITTI-STEP.

    The map is an RGB image of 8 bits: R is the class or 255, and 256 G + B
    the number of the instance. Takes the place of ``LoadAnnotations``.

    Required Keys:

    - seg_map_path
    - ori_shape (optional): if there, the map must have this size.
    - label_map (optional)

    Added Keys:

    - gt_seg_map: (H, W) uint8.

    Modified Keys:

    - seg_fields

    Args:
        annotated (str, optional): See :class:`LoadLabelMap`.
        backend_args (dict, optional): Arguments of MMEngine's file backend.
            Defaults to None.
    """

    def transform(self, results: dict) -> dict:
        """Load ``results['seg_map_path']``."""
        labels = load_labels(
            results['seg_map_path'], 'panoptic map', results, panoptic_classes,
            self.annotated, self.backend_args)
        return add_seg_map(results, labels)


def panoptic_classes(png: Image.Image, path: str) -> np.ndarray:
    """Semantic labels of a panoptic map, (H, W) uint8: a class or 255."""
    mode, kind = png.mode, png.format
    if kind != 'PNG' or mode != 'RGB':
        raise UserError(
            f"panoptic map '{path}' must be a PNG of mode RGB (R = class, "
            f'256 G + B = instance), got {kind} of mode {mode}; label PNGs, '
            'which hold classes only, are read by LoadAnnotations')
    labels = np.array(png.getchannel('R'))
    wrong = np.unique(labels[(labels >= NUM_CLASSES) & (labels != IGNORED)])
    if wrong.size:
        raise UserError(
            f"panoptic map '{path}' has {wrong[:5].tolist()} in R, where the "
            f'class is expected: 0 to {NUM_CLASSES - 1}, or {IGNORED}. It '
            'may be encoded in another way')
    return labels


@TRANSFORMS.register_module()
class LoadPartMap(_LoadGroundTruth):
    """Draw the label map of an image of ``PartImageNetDataset``.

    Takes the place of ``LoadAnnotations``. Where masks overlap, the later one
    of the annotations is on top.

    Required Keys:

    - part_annotations, part_size, part_labels: see
      :class:`~mmhierseg.datasets.PartImageNetDataset`.
    - img_path
    - ori_shape (optional): if there, the masks must be of this size.
    - label_map (optional)

    Added Keys:

    - gt_seg_map: (H, W) uint8.

    Modified Keys:

    - seg_fields

    Deleted Keys:

    - part_annotations

    Args:
        annotated, backend_args: See :class:`LoadPanopticMap`.
    """

    def transform(self, results: dict) -> dict:
        """Draw the map."""
        if 'part_annotations' not in results:
            raise UserError("`results` has no 'part_annotations': LoadPartMap "
                            'needs PartImageNetDataset with `ann_file`, a '
                            'JSON; label PNGs are read by LoadAnnotations')
        name = f"part map of '{results.get('img_path')}'"
        labels = draw_part_map(
            results.pop('part_annotations'), results['part_size'], name)
        if results['part_labels'] == 'object':
            labels = OBJECT_OF_PART[labels]
        labels = match_image(
            labels, results, name, self.annotated, self.backend_args)
        return add_seg_map(results, labels)


def draw_part_map(parts: list[dict], size: tuple[int, int],
                  name: str) -> np.ndarray:
    """Draw the masks of parts into one map, (H, W) uint8; 0 = background."""
    labels = np.zeros(size, dtype=np.uint8)
    for part in parts:
        try:
            mask = decode_mask(part['segmentation'], size)
        except (TypeError, ValueError) as error:
            raise UserError(
                f'{name}: the mask of part {part["part_id"]} cannot be '
                f'decoded ({error})') from error
        labels[mask] = part['part_id']
    return labels
