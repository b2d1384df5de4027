"""Hierarchies and ground truth of small images, in files of any kind."""
import json

import numpy as np
from PIL import Image
from scipy.io import savemat

from helpers.evaluation import blobs
from mmhierseg.apis import HierarchyResult
from mmhierseg.apis.label_maps import coco_annotations
from mmhierseg.apis.outputs import save_label_maps

NAMES = ['a', 'b.1', 'c']
SHAPE = (31, 46)


def make_levels(seed):
    """Nested label maps, fine to coarse."""
    rng = np.random.default_rng(seed)
    fine = blobs(rng, 24, 2., SHAPE)
    fine = np.unique(fine, return_inverse=True)[1].reshape(SHAPE)
    parents = np.unique(rng.integers(0, 8, fine.max() + 1),
                        return_inverse=True)[1]
    tops = np.unique(rng.integers(0, 3, parents.max() + 1),
                     return_inverse=True)[1]
    return fine, parents[fine], tops[parents[fine]], (parents, tops)


LEVELS = {name: make_levels(i)[:3] for i, name in enumerate(NAMES)}
PEOPLE = {name: [blobs(np.random.default_rng(10 * i + k), 5, 4., SHAPE) + 1
                 for k in range(1 + i)] for i, name in enumerate(NAMES)}
BOX = dict(size=list(SHAPE), counts=[46, SHAPE[0] * SHAPE[1] - 46])


def write_people(folder):
    folder.mkdir()
    for name, maps in PEOPLE.items():
        cells = np.empty((1, len(maps)), object)
        for i, labels in enumerate(maps):
            cells[0, i] = dict(Segmentation=labels.astype(np.uint16))
        savemat(folder / f'{name}.mat', dict(groundTruth=cells))
    return folder


def write_npz(folder):
    for name, maps in LEVELS.items():
        save_label_maps(folder / name, maps, 'npz')


def write_png(folder):
    for name, maps in LEVELS.items():
        save_label_maps(folder / name, maps, 'png')
        Image.new('RGB', (9, 9)).save(folder / f'{name}_hierarchy.png')


def write_folders(folder):
    for level in range(3):
        (folder / f'level{level}').mkdir()
        for name, maps in LEVELS.items():
            Image.fromarray(maps[level].astype(np.uint8)).save(
                folder / f'level{level}/{name}.png')


def write_coco(folder):
    for name, maps in LEVELS.items():
        save_label_maps(folder / name, maps, 'coco')


def write_stack(folder):
    for name, maps in LEVELS.items():
        np.savez(folder / f'{name}.npz', levels=np.stack(maps))


def write_results(folder):
    for i, name in enumerate(NAMES):
        fine, _, _, parents = make_levels(i)
        image = np.zeros((*SHAPE, 3), np.uint8)
        HierarchyResult(fine, parents, image=image).save(
            folder / f'{name}.npz')


def write_upper_case(folder):
    for name, maps in LEVELS.items():
        save_label_maps(folder / name, maps, 'npz')
        (folder / f'{name}_levels.npz').rename(folder / f'{name}.NPZ')


WRITERS = [write_npz, write_png, write_folders, write_coco, write_stack,
           write_results, write_upper_case]


def coco_file(path, parts=False):
    """Boxes with classes, one image without any."""
    names = ['Car Body', 'Car Tier', 'Bird Head'] if parts else 'xyz'
    content = dict(
        images=[dict(id=i + 7, file_name=f'{x}.jpg', height=SHAPE[0],
                     width=SHAPE[1]) for i, x in enumerate(NAMES)],
        categories=[dict(id=i, name=x, supercategory=x.split()[0] if parts
                         else 'thing') for i, x in enumerate(names)],
        annotations=[])
    for i, name in enumerate(NAMES[:2]):
        for entry in coco_annotations([PEOPLE[name][0] % 4 - 1]):
            content['annotations'].append(dict(
                entry, image_id=i + 7, category_id=entry['segment']))
    path.write_text(json.dumps(content))
    return path
