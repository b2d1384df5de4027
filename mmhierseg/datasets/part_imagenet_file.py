"""Reads the COCO-style annotation files of PartImageNet."""

import json
from collections import defaultdict
from typing import NamedTuple

from mmhierseg._base.errors import UserError

from .files import MissingFileError, some
from .part_imagenet_classes import part_id


class AnnotatedImage(NamedTuple):
    """An image with the masks of its parts."""

    file_name: str
    size: tuple[int, int]
    """(H, W)."""
    parts: list[dict]
    """Each with ``part_id``, 1 to 40, and ``segmentation``, as in COCO."""


def parse_annotations(content: bytes, path: str) -> list[AnnotatedImage]:
    """Parse an annotation file, images without any part included."""
    try:
        data = json.loads(content)
        images = {entry['id']: entry for entry in data['images']}
        ids = {
            entry['id']: part_id(entry['name'], entry['supercategory'])
            for entry in data['categories']
        }
        parts: dict[int, list[dict]] = defaultdict(list)
        for entry in data['annotations']:
            parts[entry['image_id']].append(
                dict(
                    part_id=ids.get(entry['category_id']),
                    segmentation=entry['segmentation']))
        result = [
            AnnotatedImage(entry['file_name'],
                           (int(entry['height']), int(entry['width'])),
                           parts.pop(i, [])) for i, entry in images.items()
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"annotation file '{path}' is no COCO-style JSON of PartImageNet:"
            " it needs 'images' (id, file_name, height, width), 'categories' "
            "(id, name, supercategory) and 'annotations' (image_id, "
            f'category_id, segmentation); got {type(error).__name__}: '
            f'{error}') from error
    except ValueError as error:  # from JSON, a part's name, or a size
        raise UserError(
            f"annotation file '{path}' cannot be read: {error}") from error
    if parts:
        raise UserError(
            f"annotation file '{path}' has annotations of images that it does "
            f'not list: image_id {some([str(i) for i in parts])}')
    unknown = [
        image.file_name for image in result
        if any(part['part_id'] is None for part in image.parts)
    ]
    if unknown:
        raise UserError(
            f"annotation file '{path}' has annotations of categories that it "
            f'does not list, in {some(unknown)}')
    return result


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
