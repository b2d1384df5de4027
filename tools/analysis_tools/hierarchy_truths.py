"""Read ground truth of any kind, for ``evaluate_hierarchy.py``.

Legend: H x W pixels, A annotators, C classes.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from mmhierseg._base.coco_masks import decode_mask
from mmhierseg._base.errors import UserError
from mmhierseg._base.image_files import (
    MAX_LABEL_PIXELS,
    check_pixels,
    list_files,
)
from mmhierseg.datasets.files import decode_labels
from mmhierseg.datasets.transforms.human_segmentations import (
    decode_segmentations,
)

#: Pixels of all masks of an image at most: a byte each, and a copy.
MAX_MASK_PIXELS = 2**33


class Source(NamedTuple):
    """Where the truth of an image is."""

    path: Path
    image_id: Any = None
    """In the file, which holds several images."""
    size: tuple[int, int] = (0, 0)
    annotations: tuple[dict, ...] = ()
    """Each with ``segmentation``, ``crowd``, and from 1 ``class``, ``whole``.
    """
    is_parts: bool = False


class Truth(NamedTuple):
    """Ground truth of an image."""

    maps: np.ndarray
    """(A, H, W) int64, regions; 0 = background, -1 = none."""
    masks: Any
    """Regions without the background, see ``average_recall``."""
    classes: np.ndarray | None = None
    """(H, W) int64, -1 = none."""
    wholes: np.ndarray | None = None
    """(H, W) int64, classes of the wholes, for parts with wholes."""
    whole_masks: Any = None

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.maps.shape[1:]


def find_truths(root: Path) -> dict[str, Source]:
    """Ground truth by name of the image: a folder, or a file of COCO's kind.

    Files ``NAME.mat`` (BSDS500), ``NAME.png`` (classes or ids), or
    ``NAME.json`` (SA-1B).
    """
    if root.is_file():
        return _read_coco(root)
    if not root.is_dir():
        raise UserError(f'GT must be a folder or a JSON file; there is no '
                        f'{str(root)!r}')
    for suffix in ('.mat', '.png', '.json'):
        paths = [Path(root, name) for name in list_files(root, suffix)]
        if paths:
            found = {path.stem: Source(path) for path in paths}
            if len(found) < len(paths):
                raise UserError(f'{str(root)!r} has several files of one name '
                                'in its folders; give one of them')
            return found
    raise UserError(f'{str(root)!r} has no ground truth: no .mat, .png or '
                    '.json file')


def read_truth(source: Source, background: int = 0,
               ignore_index: int = 255) -> Truth:
    """Read the ground truth of an image.

    Args:
        source (Source): Of :func:`find_truths`.
        background (int): Id in a PNG that is no region for masks; -1: none.
        ignore_index (int): Id in a PNG of pixels to leave out.
    """
    path, suffix = source.path, source.path.suffix.lower()
    if source.image_id is not None:
        truth = _of_annotations(source.annotations, source.size)
        classes = _paint(source.annotations, truth, 'class')
        wholes = _paint(source.annotations, truth, 'whole')
        # A crowd is a region, but no object to find.
        truth = truth._replace(classes=classes, masks=truth.masks[
            [not x['crowd'] for x in source.annotations]])
        return truth if not source.is_parts else truth._replace(
            wholes=wholes, whole_masks=np.where(wholes == 0, -1, wholes))
    if suffix == '.mat':
        maps = decode_segmentations(path.read_bytes(), str(path))
        maps = np.ascontiguousarray(maps.transpose(2, 0, 1), dtype=np.int64)
        return Truth(maps, maps)  # numbered from 1
    if suffix == '.png':
        decode_labels(path.read_bytes(), str(path), 'ground truth')
        with Image.open(path) as picture:
            labels = np.array(picture)
        if labels.ndim != 2 or labels.dtype.kind not in 'iu':
            raise UserError(f'{str(path)!r} is no label map: {labels.dtype} '
                            f'of shape {labels.shape}')
        labels = labels.astype(np.int64)
        labels[labels == ignore_index] = -1
        regions = labels + (labels >= 0)  # every id from 0 on is positive
        if background >= 0:
            regions[labels == background] = 0
        masks = np.where(regions > 0, regions, -1)
        return Truth(regions[None], masks, labels)
    content = _load(path)
    try:
        size = _size_of(content['image'])
        annotations = [dict(segmentation=entry['segmentation'])
                       for entry in content['annotations']]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{str(path)!r} must have 'image' (height, width) and "
                        f"'annotations' (segmentation), as SA-1B: {error!r}"
                        ) from error
    return _of_annotations(annotations, size)


def _read_coco(path: Path) -> dict[str, Source]:
    """Images of a COCO-style file; with supercategories, parts of wholes."""
    content = _load(path)
    try:
        categories = {entry['id']: entry for entry in content['categories']}
        numbers = {key: i for i, key in enumerate(categories, 1)}
        names = [entry.get('supercategory') for entry in categories.values()]
        wholes = {name: i for i, name in enumerate(dict.fromkeys(names), 1)}
        # PartImageNet's names begin with the whole; COCO's do not.
        is_parts = bool(categories) and all(
            entry.get('supercategory') not in (None, '', entry['name'])
            and entry['name'].lower().startswith(
                entry['supercategory'].lower())
            for entry in categories.values())
        found: dict[Any, list[dict]] = {
            entry['id']: [] for entry in content['images']}
        for entry in content['annotations']:
            category = categories[entry['category_id']]
            found[entry['image_id']].append(dict(
                segmentation=entry['segmentation'],
                crowd=bool(entry.get('iscrowd')),
                **{'class': numbers[entry['category_id']]},
                whole=wholes[category.get('supercategory')]))
        result = {
            Path(entry['file_name']).stem: Source(
                path, entry['id'],
                _size_of(entry), tuple(found[entry['id']]), is_parts)
            for entry in content['images']}
    except (KeyError, TypeError, ValueError, OverflowError,
            AttributeError) as error:
        raise UserError(
            f"{str(path)!r} is not COCO-style: it needs 'images' (id, "
            "file_name, height, width), 'categories' (id, name) and "
            f"'annotations' (image_id, category_id, segmentation): {error!r}"
        ) from error
    if not result:
        raise UserError(f'{str(path)!r} lists no images')
    if len(result) < len(content['images']):
        raise UserError(f'{str(path)!r} lists images of one name twice')
    return result


def _size_of(entry: dict) -> tuple[int, int]:
    size = int(entry['height']), int(entry['width'])
    if min(size) < 1:
        raise ValueError(f'height and width must be positive, got {size}')
    check_pixels(size, MAX_LABEL_PIXELS)
    return size


def _of_annotations(annotations: Sequence[dict],
                    size: tuple[int, int]) -> Truth:
    """Masks, and a map that shows them, the small ones on top."""
    if len(annotations) * size[0] * size[1] > MAX_MASK_PIXELS:
        raise UserError(f'{len(annotations)} masks of {size} pixels are too '
                        f'many, more than {MAX_MASK_PIXELS} pixels')
    masks = []
    for number, entry in enumerate(annotations):
        try:
            masks.append(decode_mask(entry['segmentation'], size))
        except ValueError as error:
            raise UserError(f'annotation {number}: {error}') from error
    stack = np.array(masks, dtype=bool).reshape(-1, *size)
    regions = np.zeros((1, *size), np.int64)
    for i in np.argsort(stack.sum((1, 2)), kind='stable')[::-1]:
        regions[0, stack[i]] = i + 1
    return Truth(regions, stack)


def _paint(annotations: Sequence[dict], truth: Truth, key: str) -> np.ndarray:
    """Classes or wholes of the pixels; later annotations win."""
    labels = np.zeros(truth.size, np.int64)
    for entry, mask in zip(annotations, truth.masks):
        labels[mask] = entry[key]
    return labels


def _load(path: Path) -> dict:
    try:
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict):
            raise ValueError('expected an object')
    except (ValueError, RecursionError) as error:
        raise UserError(f'{str(path)!r} cannot be read: {error}') from error
    return content
