"""A tiny PartImageNet of rectangles, and its maps."""

import json

import numpy as np
from PIL import Image

from mmhierseg.datasets.part_imagenet_classes import (
    OBJECT_OF_PART,
    OBJECTS,
    PARTS,
)

#: Height and width of an image.
SIZE = (24, 36)
NAMES = ('n02690373_7', 'n02835271_11', 'n02099601_3')


def edit(path, change):
    """Change the content of a JSON file."""
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def make_part_imagenet(root, splits=('train', 'val')):
    """Write three images a split with two parts each, and one without.

    Returns the part maps by ``split/folder/name``.
    """
    rng = np.random.default_rng(0)
    maps = {}
    categories = [
        dict(id=i, name=name, supercategory=OBJECTS[OBJECT_OF_PART[i + 1] - 1])
        for i, name in enumerate(PARTS)
    ]
    for split in splits:
        images, annotations = [], []
        # Ids of images need not be compact.
        for i, name in enumerate((*NAMES, 'n02099601_4'), start=10):
            path = root / 'images' / split / name[:9] / f'{name}.JPEG'
            path.parent.mkdir(parents=True, exist_ok=True)
            noise = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
            Image.fromarray(noise).save(path, format='JPEG')
            images.append(
                dict(id=i, file_name=path.name, height=SIZE[0], width=SIZE[1]))
            if name not in NAMES:
                continue
            labels = np.zeros(SIZE, dtype=np.uint8)
            for x in (i - 7, 20):
                part = int(rng.integers(1, 41))
                labels[2:9, x:x + 5] = part
                polygon = [x, 2, x + 5, 2, x + 5, 9, x, 9]
                annotations.append(
                    dict(
                        id=len(annotations),
                        image_id=i,
                        category_id=part - 1,
                        segmentation=[polygon]))
            maps[f'{split}/{name[:9]}/{name}'] = labels
        path = root / 'annotations' / f'{split}.json'
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            json.dumps(
                dict(
                    images=images,
                    annotations=annotations,
                    categories=categories)))
    return maps
