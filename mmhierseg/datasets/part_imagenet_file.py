"""Reads the COCO-style annotation files of PartImageNet."""

import json
import logging
from collections import Counter
from contextlib import suppress
from reprlib import repr as shorten
from typing import NamedTuple

from mmengine.logging import print_log

from mmhierseg._base.coco_masks import check_mask
from mmhierseg._base.errors import UserError
from mmhierseg._base.image_files import check_pixels

from .files import MissingFileError, some
from .part_imagenet_classes import part_id


class AnnotatedImage(NamedTuple):
    """An image with the masks of its parts."""

    file_name: str
    size: tuple[int, int]
    """(H, W)."""
    parts: list[dict]
    """Each with ``part_id``, 1 to 40, and ``segmentation``, as in COCO."""


def parse_annotations(content: bytes,
                      path: str,
                      sort: bool = False) -> list[AnnotatedImage]:
    """Parse an annotation file, images without any part included.

    They are in the order of the file or, with ``sort``, in that of their ids.
    All annotations are checked: polygons of fewer than three points are left
    out with one warning; all invalid masks are listed in one error.
    """
    try:
        data = json.loads(content)
        images = [(entry['id'], _image(entry)) for entry in data['images']]
        if sort:
            images.sort(key=lambda item: item[0])
        ids = {
            entry['id']: part_id(entry['name'], entry['supercategory'])
            for entry in data['categories']
        }
        annotations = list(data['annotations'])
        by_id = dict(images)
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"annotation file '{path}' is not a COCO-style JSON file:"
            " it needs 'images' (id, file_name, height, width), 'categories' "
            "(id, name, supercategory) and 'annotations' (image_id, "
            f'category_id, segmentation); got {type(error).__name__}: '
            f"{error}. The release Seg has other JSON files: release='seg' "
            'reads its label PNGs') from error
    except (ValueError, RecursionError) as error:
        # From JSON, a part's name, or an image.
        raise UserError(
            f"annotation file '{path}' cannot be read: {error}") from error
    names = Counter(image.file_name for _, image in images)
    twice = [name for name, number in names.items() if number > 1]
    if (twice or len(by_id) < len(images)
            or len(ids) < len(data['categories'])):
        raise UserError(
            f"annotation file '{path}' lists an image or an id of one or of a "
            f'category more than once: {some(twice or ["an id"])}')
    wrong, degenerate = [], 0
    for number, entry in enumerate(annotations):
        try:
            degenerate += _add_part(entry, by_id, ids)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            wrong.append(_describe(entry, number, by_id, error))
    if wrong:
        raise UserError(
            f"{len(wrong)} of {len(annotations)} annotations in '{path}' "
            f'are invalid: {some(wrong)}. Correct or remove them')
    if degenerate:
        print_log(
            f'{degenerate} polygons of fewer than three points in {path} are '
            'left out',
            logger='current',
            level=logging.WARNING)
    return list(by_id.values())


def _image(entry: dict) -> AnnotatedImage:
    """An image without parts; its size must be valid."""
    name, size = entry['file_name'], (entry['height'], entry['width'])
    if not isinstance(name, str):
        raise ValueError(f'file_name {shorten(name)} is not a string')
    if not all(type(n) in (int, float) and n > 0 and n == n // 1
               for n in size):
        raise ValueError(f'the size of {name}, {shorten(size)}, must be '
                         'positive integers')
    size = int(size[0]), int(size[1])
    try:
        check_pixels(size)
    except ValueError as error:
        raise ValueError(f'{name}: {error}') from error
    return AnnotatedImage(name, size, [])


def _add_part(entry: dict, images: dict, ids: dict[int, int]) -> int:
    """Add a part to its image; returns the number of degenerate polygons."""
    for name, key, known in (('image', 'image_id', images),
                             ('category', 'category_id', ids)):
        if entry[key] not in known:
            raise ValueError(f'{key} {shorten(entry[key])} is no {name} that '
                             'the file lists')
    image, mask = images[entry['image_id']], entry['segmentation']
    degenerate = check_mask(mask, image.size)
    if isinstance(mask, dict) or len(mask) > degenerate:
        image.parts.append(
            dict(part_id=ids[entry['category_id']], segmentation=mask))
    return degenerate


def _describe(entry: object, number: int, images: dict,
              error: Exception) -> str:
    """Name an annotation, its image, and what is wrong with it."""
    name = f'number {number}'
    with suppress(TypeError, KeyError):
        name = f'id {shorten(entry["id"])}'
    with suppress(TypeError, KeyError):
        name += f" of {images[entry['image_id']].file_name}"
    reason = f'no {error}' if isinstance(error, KeyError) else error
    return f'{name} ({reason})'


def image_paths(names: list[str], found: list[str], folder: str,
                ann_file: str) -> list[str]:
    """Find the listed images: by name, or in the folder of their class."""
    present = set(found)
    paths = [
        name if name in present else f'{name[:9]}/{name}' for name in names
    ]
    missing = [
        name for name, path in zip(names, paths) if path not in present
    ]
    if missing:
        raise MissingFileError(
            f'{len(missing)} of {len(names)} images that '
            f"'{ann_file}' lists are not in '{folder}': {some(missing)}. They "
            'are expected there, or in the folder of their class, named by '
            'the first 9 characters of the file')
    return paths
