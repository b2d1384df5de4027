"""Scenes in the layouts of CamVid, COCO-Stuff, Potsdam and BSDS500."""

import numpy as np
from PIL import Image
from scipy.io import savemat

from mmhierseg.datasets import PartWholeScenes


def make_camvid(root, counts, size=(60, 88), suffix='.png'):
    """Write ``{train,val,test}`` and their annotations, 0 to 11."""
    for split, number in counts.items():
        _write_pairs(
            root, f'{split}/0001TP_%06d{suffix}',
            f'{split}annot/0001TP_%06d.png', number, len(split),
            lambda labels: labels.clip(max=11), size)


def make_coco_stuff(root, counts):
    """Write images and annotations of ``{train,val}2017``."""
    for split, number in counts.items():
        _write_pairs(
            root, f'images/{split}2017/%012d.jpg',
            f'annotations/{split}2017/%012d_labelTrainIds.png', number,
            len(split))


def make_potsdam(root, counts):
    """Write tiles and annotations, 1 to 6."""
    for split, number in counts.items():
        _write_pairs(
            root, f'img_dir/{split}/2_%d_0_0_512_512.png',
            f'ann_dir/{split}/2_%d_0_0_512_512.png', number, len(split),
            lambda labels: labels.clip(max=5) + 1)


def _write_pairs(root, image_name, label_name, number, seed,
                 classes=lambda labels: labels, size=(60, 88)):
    scenes = PartWholeScenes(
        num_scenes=number, size=size, seed=seed, task='segmentation')
    for i, scene in enumerate(scenes):
        image, labels = root / (image_name % i), root / (label_name % i)
        for path in (image, labels):
            path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene['img'][..., ::-1]).save(image)
        Image.fromarray(classes(scene['gt_seg_map']).astype(np.uint8)).save(
            labels)


def make_bsds500(root, number, size=(60, 88)):
    """Write test images, each with the segmentations of two annotators."""
    folders = [root / name / 'test' for name in ('images', 'groundTruth')]
    for folder in folders:
        folder.mkdir(parents=True)
    scenes = PartWholeScenes(
        num_scenes=number, size=size, seed=9, task='segmentation')
    for i, scene in enumerate(scenes):
        Image.fromarray(scene['img'][..., ::-1]).save(
            folders[0] / f'{i}.jpg')
        labels = scene['gt_seg_map'].astype(np.uint16)
        cells = np.empty((1, 2), dtype=object)
        for k, regions in enumerate((labels + 1, labels // 2 + 1)):
            cells[0, k] = dict(Segmentation=regions)
        savemat(folders[1] / f'{i}.mat', dict(groundTruth=cells))
