"""Properties of the readers and writers of files on random content."""

import json
import os
import pickle

import numpy as np
import torch
from PIL import Image
from pycocotools import mask as coco

from mmhierseg._base.errors import UserError
from mmhierseg._base.names import output_names
from mmhierseg.checkpoints import read_checkpoint
from mmhierseg.datasets.part_imagenet_classes import (
    OBJECT_OF_PART,
    OBJECTS,
    PARTS,
)
from mmhierseg.datasets.transforms import LoadSegmentMap
from mmhierseg.datasets.transforms.load_segment_map import encode_segment_map
from mmhierseg.registry import DATASETS


def random_mask(rng, size):
    """A COCO mask of an image, and its pixels, None if they do not matter."""
    height, width = size
    pixels = np.asfortranarray(rng.random(size) < rng.random())
    kind = rng.integers(9)
    if kind == 0:
        top, left = rng.integers(0, size)
        bottom, right = rng.integers((top, left), np.add(size, 1))
        pixels[:] = False
        pixels[top:bottom, left:right] = True
        points = [left, top, right, top, right, bottom, left, bottom]
        return [[float(x) for x in points]], pixels
    if kind == 1:
        code = coco.encode(pixels.astype(np.uint8))
        return dict(size=list(size), counts=code['counts'].decode()), pixels
    if kind == 2:
        flat = pixels.T.ravel()
        bounds = np.flatnonzero(np.diff(flat.astype(int))) + 1
        runs = np.diff([0, *bounds, flat.size]).tolist()
        return dict(
            size=list(size), counts=[0, *runs] if flat[0] else runs), pixels
    if kind == 3:
        return [[], [[]], [[1., 2.]], [[1., 2., 0., 1.]]][rng.integers(4)], (
            np.zeros(size, bool))
    if kind == 4:
        # A shortened or altered code.
        code = coco.encode(pixels.astype(np.uint8))['counts'].decode()
        place = rng.integers(len(code))
        return dict(
            size=list(size),
            counts=code[:place] + chr(rng.integers(0, 300)) * rng.integers(2)
            + code[place + rng.integers(2):]), None
    if kind == 5:
        values = rng.choice([1e8, -1e8, np.nan, np.inf, 3., width, 1e19], 8)
        return [values.tolist()], None
    if kind == 6:
        return dict(
            size=rng.integers(-2, 40, 2).tolist(),
            counts=rng.integers(-3, 400, 5).tolist()), None
    if kind == 7:
        return [None, 7, 'mask', [['a'] * 6], [[[[1] * 6]]], {}, [3.5],
                dict(counts=None, size=list(size)),
                dict(counts=[1e300], size=list(size))][rng.integers(9)], None
    return rng.uniform(-50, 90, (1, 2 * rng.integers(3, 9))).tolist(), None


def part_masks_are_right_or_refused(rng, folder):
    size = tuple(int(side) for side in rng.integers(1, 40, 2))
    masks = [random_mask(rng, size) for _ in range(rng.integers(1, 4))]
    Image.new('RGB', size[::-1]).save(folder / 'n02690373_1.png')
    content = dict(
        images=[dict(id=1, file_name='n02690373_1.png', height=size[0],
                     width=size[1])],
        annotations=[dict(id=i, image_id=1, category_id=i, segmentation=mask)
                     for i, (mask, _) in enumerate(masks)],
        categories=[
            dict(id=i, name=name,
                 supercategory=OBJECTS[OBJECT_OF_PART[i + 1] - 1])
            for i, name in enumerate(PARTS)
        ])
    (folder / 'parts.json').write_text(json.dumps(content))
    try:
        data = DATASETS.build(
            dict(
                type='mmhierseg.PartImageNetDataset',
                data_root=str(folder),
                ann_file='parts.json',
                data_prefix=dict(img_path=''),
                img_suffix='.png',
                pipeline=[
                    dict(type='mmhierseg.LoadImage'),
                    dict(type='mmhierseg.LoadPartMap'),
                    dict(type='mmseg.PackSegInputs')
                ]))
        found = data[0]['data_samples'].gt_sem_seg.data[0].numpy()
    except UserError as error:
        # Impossible masks; nothing but masks that are left out.
        assert (any(pixels is None for _, pixels in masks)
                or 'annotates no part' in str(error)
                and not any(pixels.any() for _, pixels in masks))
        return
    assert found.shape == size
    if all(pixels is not None for _, pixels in masks):
        expected = np.zeros(size)
        for i, (_, pixels) in enumerate(masks):
            expected[pixels] = i + 1
        np.testing.assert_array_equal(found, expected)


def damaged(rng, content):
    """One flipped bit, a part left out, or bytes put in."""
    content = bytearray(content)
    place = int(rng.integers(len(content)))
    kind = rng.integers(3)
    if kind == 0:
        content[place] ^= 1 << rng.integers(8)
    elif kind == 1:
        del content[place:place + rng.integers(1, len(content))]
    else:
        content[place:place] = rng.bytes(int(rng.integers(1, 9)))
    return bytes(content)


def damaged_segment_maps_are_refused(rng, folder):
    labels = rng.integers(0, rng.choice([2, 300, 70000]), (9, 13))
    path = folder / 'map.png'
    path.write_bytes(
        damaged(rng, encode_segment_map(labels.astype(np.int32))))
    try:
        found = LoadSegmentMap().transform(
            dict(img_path='a.jpg', segment_map_path=str(path)))
    except UserError as error:
        assert 'map.png' in str(error)
        return
    np.testing.assert_array_equal(found['segment_map'], labels)


class Malicious:
    """Leaves a file behind when it is unpickled without care."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, 'w')


def checkpoints_execute_nothing(rng, folder):
    path, trace = folder / 'weights.pth', folder / 'executed'
    value = dict(state_dict=dict(w=torch.ones(3)))
    if rng.random() < 0.7:
        value['state_dict']['x'] = Malicious(str(trace))
    if rng.random() < 0.3:
        path.write_bytes(pickle.dumps(value))
    else:
        torch.save(value, path)
    if rng.random() < 0.7:
        path.write_bytes(damaged(rng, path.read_bytes()))
    try:
        read_checkpoint(str(path))
    except Exception as error:
        assert isinstance(error, (UserError, ValueError)), repr(error)
        assert 'weights.pth' in str(error)
    assert not trace.exists()


def outputs_stay_in_their_folder(rng, folder):
    letters = list('ab./\\|<>\n\r\t*:"`$ \u202e\udc80\u00e9-') + ['..', '.png']
    paths = {
        'in/' + ''.join(rng.choice(letters, rng.integers(1, 9)))
        for _ in range(rng.integers(1, 12))
    }
    paths = sorted(p for p in paths if os.path.basename(p).strip('.'))
    root = 'in' if rng.random() < 0.5 else None
    names = output_names(paths, root)
    assert len(set(names.values())) == len(paths)
    assert names == output_names(paths[::-1], root)
    for name in names.values():
        assert name.isprintable() and not set(name) & set('\\|<>`*:"')
        path = os.path.abspath(folder / (name + '_level_0.png'))
        assert path.startswith(str(folder) + os.sep)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'x'):
            pass
        os.remove(path)


PROPERTIES = [
    part_masks_are_right_or_refused,
    damaged_segment_maps_are_refused,
    checkpoints_execute_nothing,
    outputs_stay_in_their_folder,
]
