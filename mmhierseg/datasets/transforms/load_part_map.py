"""Label maps drawn from the masks of parts."""

import numpy as np
from mmcv.transforms import BaseTransform

from mmhierseg._base.errors import UserError
from mmhierseg.registry import TRANSFORMS

from ..coco_masks import decode_mask
from ..files import add_seg_map, check_annotated, match_image
from ..part_imagenet_classes import OBJECT_OF_PART


@TRANSFORMS.register_module()
class LoadPartMap(BaseTransform):
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
        annotated (str, optional): See :class:`LoadLabelMap`.
    """

    def __init__(self, annotated: str | None = None) -> None:
        self.annotated = check_annotated(annotated)

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
        return add_seg_map(
            results, match_image(labels, results, name, self.annotated))


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
