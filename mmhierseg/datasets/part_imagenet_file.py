"""Reads the COCO-style files of PartImageNet's annotations."""

import json
from collections import defaultdict
from typing import NamedTuple

from .files import some
from .part_imagenet_classes import part_id

__all__ = ['AnnotatedImage', 'image_paths', 'parse_annotations']

#: An image lies in the folder that so many characters of its name name.
_FOLDER_CHARACTERS = 9


class AnnotatedImage(NamedTuple):
    """An image with the masks of its parts."""

    file_name: str
    size: tuple[int, int]
    """(H, W)."""
    parts: list[dict]
    """Each with ``part_id``, 1 to 40, and ``segmentation``, as in COCO."""


def parse_annotations(content: bytes, path: str) -> list[AnnotatedImage]:
    """Parse a file of annotations.

    Args:
        content (bytes): The file.
        path (str): Where it comes from, for the messages.

    Returns:
        list[AnnotatedImage]: The images, those without any part included, in
        the order of the file.

    Raises:
        ValueError: If the file is no COCO-style JSON, names parts that the
            data set does not have, or refers to what is not in it.
    """
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
        raise ValueError(
            f"annotation file '{path}' is no COCO-style JSON of PartImageNet:"
            " it needs 'images' (id, file_name, height, width), 'categories' "
            "(id, name, supercategory) and 'annotations' (image_id, "
            f'category_id, segmentation); got {type(error).__name__}: '
            f'{error}') from error
    except ValueError as error:  # of JSON, of a part's name, of a size
        raise ValueError(
            f"annotation file '{path}' cannot be read: {error}") from error
    _check_references(result, parts, path)
    return result


def _check_references(images: list[AnnotatedImage], others: dict[int, list],
                      path: str) -> None:
    if others:
        raise ValueError(
            f"annotation file '{path}' has annotations of images that it does "
            f'not list: image_id {some([str(i) for i in others])}')
    unknown = [
        image.file_name for image in images
        if any(part['part_id'] is None for part in image.parts)
    ]
    if unknown:
        raise ValueError(
            f"annotation file '{path}' has annotations of categories that it "
            f'does not list, in {some(unknown)}')


def image_paths(names: list[str], found: list[str], folder: str,
                ann_file: str) -> list[str]:
    """Where the images of a file of annotations lie.

    Args:
        names (list[str]): ``file_name`` of each image.
        found (list[str]): Files below the folder of images, '/' between the
            parts of a path.
        folder (str): That folder, for the message.
        ann_file (str): The file of annotations, for the message.

    Returns:
        list[str]: A path of ``found`` for each name: the name itself, or the
        name in the folder of its class.

    Raises:
        FileNotFoundError: If an image is missing.

    Example:
        >>> image_paths(['n02690373_7.JPEG'],
        ...             ['n02690373/n02690373_7.JPEG'], 'train', 'train.json')
        ['n02690373/n02690373_7.JPEG']
    """
    there = set(found)
    paths = [
        name if name in there else f'{name[:_FOLDER_CHARACTERS]}/{name}'
        for name in names
    ]
    missing = [
        name for name, path in zip(names, paths) if path not in there
    ]
    if missing:
        raise FileNotFoundError(
            f'{len(missing)} of {len(names)} images that '
            f"'{ann_file}' lists are not in '{folder}': {some(missing)}. They "
            'are expected there, or in the folder of their class, named by '
            f'the first {_FOLDER_CHARACTERS} characters of the file')
    return paths
