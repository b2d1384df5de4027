"""Label maps drawn from the masks of parts."""

import numpy as np
from mmcv.transforms import BaseTransform

from mmhierseg._base.errors import UserError
from mmhierseg.registry import TRANSFORMS

from ..files import add_seg_map
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
        return add_seg_map(results, labels, name)


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


def decode_mask(segmentation: list | dict,
                size: tuple[int, int]) -> np.ndarray:
    """Decode polygons or a run-length code of COCO to a mask, (H, W) bool."""
    try:
        from pycocotools import mask as coco
    except ImportError as error:
        raise ImportError('masks of PartImageNet need pycocotools: '
                          'pip install pycocotools') from error
    if not isinstance(segmentation, dict):
        _check_polygons(segmentation)
        return coco.decode(
            coco.merge(coco.frPyObjects(segmentation, *size))).astype(bool)
    _check_runs(segmentation, size)
    if isinstance(segmentation['counts'], list):
        segmentation = coco.frPyObjects(segmentation, *size)
    return coco.decode(segmentation).astype(bool)


def _check_polygons(polygons: object) -> None:
    if not isinstance(polygons, list) or not polygons:
        raise ValueError('expected polygons or a run-length code, got '
                         f'{polygons!r:.60}')
    for polygon in polygons:
        if (not isinstance(polygon, list) or len(polygon) < 6
                or len(polygon) % 2):
            raise ValueError('a polygon needs x and y of at least 3 points, '
                             f'got {polygon!r:.60}')
        if not np.isfinite(np.asarray(polygon, dtype=np.float64)).all():
            raise ValueError('a polygon contains NaN or infinity')


def _check_runs(code: dict, size: tuple[int, int]) -> None:
    if tuple(code.get('size', ())) != tuple(size):
        raise ValueError(f'its run-length code is of size {code.get("size")}, '
                         f'the image {tuple(size)}')
    counts = code.get('counts')
    if not isinstance(counts, (list, str, bytes)) or not counts:
        raise ValueError("a run-length code needs 'counts', a non-empty list "
                         f'or string, got {counts!r:.60}')
    # The library does not check the runs of a list.
    if isinstance(counts, list) and (min(counts) < 0
                                     or sum(counts) != size[0] * size[1]):
        raise ValueError(f'its runs have {sum(counts)} pixels, the image '
                         f'{size[0] * size[1]}')
