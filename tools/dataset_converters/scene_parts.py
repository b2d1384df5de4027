"""Part-whole scenes in the images and annotations of PartImageNet.

Ten of the twelve categories correspond to one of its objects; chairs, tables
and poles do not. Each part becomes the nearest one that the object has: a
cat's ears belong to its head. An annotation is the visible area of a part in
one object, run-length encoded.
"""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from mmhierseg.datasets import part_imagenet_classes as part_imagenet
from mmhierseg.datasets.files import decode_labels
from mmhierseg.datasets.scenes import CATEGORY_OF_PART, PARTS, class_names

#: Object of PartImageNet, and a class of ImageNet that is such a thing.
_OBJECTS: dict[str, tuple[str, str]] = dict(
    aeroplane=('Aeroplane', 'n02690373'),
    bicycle=('Bicycle', 'n02835271'),
    bird=('Bird', 'n01558993'),
    boat=('Boat', 'n04612504'),
    bottle=('Bottle', 'n04591713'),
    bus=('Car', 'n04487081'),
    car=('Car', 'n03594945'),
    cat=('Quadruped', 'n02124075'),
    cow=('Quadruped', 'n02403003'),
    dog=('Quadruped', 'n02099601'))
#: Image folder of each category that the layout can hold.
FOLDERS: dict[str, str] = {name: wnid for name, (_, wnid) in _OBJECTS.items()}

# Parts whose names differ.
_PARTS: dict[str, str] = dict(
    beak='Head', cap='Mouth', door='Body', ear='Head', frame='Body',
    handlebar='Head', horn='Head', hull='Body', label='Body', leg='Foot',
    mast='Sail', neck='Mouth', roof='Body', saddle='Seat', wheel='Tier',
    window='Side Mirror')


def image_name(category: str, number: int) -> str:
    """Name of an image; its first nine characters are that of its folder."""
    return f'{FOLDERS[category]}_{number}'


def part_imagenet_id(part: int) -> int:
    """Id in PartImageNet, 1 to 40, of a part of a scene."""
    category = class_names()[CATEGORY_OF_PART[part]]
    name = PARTS[part - 1][len(category) + 1:]
    return part_imagenet.part_id(
        _PARTS.get(name, name.capitalize()), _OBJECTS[category][0])


def annotations(root: Path, names: Sequence[str]) -> bytes:
    """COCO-style JSON of scenes on disk, ``split/folder/name``."""
    # Ids count from 0 in the file.
    categories = [
        dict(id=i, name=name, supercategory=part_imagenet.OBJECTS[whole - 1])
        for i, (name, whole) in enumerate(
            zip(part_imagenet.PARTS, part_imagenet.OBJECT_OF_PART[1:]))
    ]
    images: list[dict] = []
    parts: list[dict] = []
    for name in names:
        paths = [root / 'maps' / kind / f'{name}.png'
                 for kind in ('object', 'part')]
        maps = [
            np.asarray(decode_labels(path.read_bytes(), str(path), 'map'))
            for path in paths
        ]
        images.append(
            dict(
                id=len(images),
                file_name=f'{name.rpartition("/")[2]}.JPEG',
                height=maps[0].shape[0],
                width=maps[0].shape[1]))
        parts.extend(_annotate(*maps, images[-1]['id'], len(parts)))
    return json.dumps(
        dict(images=images, annotations=parts,
             categories=categories)).encode()


@cache
def _id_table() -> np.ndarray:
    """Ids in PartImageNet of all parts; 0 for those it cannot hold."""
    names = class_names(num_poles=1)
    return np.array([0] + [
        part_imagenet_id(part) if names[whole] in FOLDERS else 0
        for part, whole in enumerate(CATEGORY_OF_PART[1:], start=1)
    ])


def _annotate(objects: np.ndarray, parts: np.ndarray, image_id: int,
              first_id: int) -> list[dict]:
    """Annotations of one scene."""
    from pycocotools import mask as coco
    ids = _id_table()[parts]
    pairs = np.unique(
        np.stack((objects.ravel(), ids.ravel()), axis=1), axis=0)
    found = []
    for number, part in pairs[pairs[:, 1] > 0].tolist():
        mask = (objects == number) & (ids == part)
        code = coco.encode(np.asfortranarray(mask, dtype=np.uint8))
        found.append(
            dict(
                id=first_id + len(found),
                image_id=image_id,
                category_id=part - 1,
                segmentation=dict(
                    size=list(mask.shape), counts=code['counts'].decode()),
                area=int(mask.sum()),
                bbox=coco.toBbox(code).tolist(),
                iscrowd=0))
    return found
