"""Scenes in the layouts of CamVid and of BSDS500."""

import numpy as np
from PIL import Image
from scipy.io import savemat

from mmhierseg.datasets import PartWholeScenes


def make_camvid(root, counts, size=(60, 88), suffix='.png'):
    """Write ``{train,val,test}`` and their annotations, 0 to 11."""
    for split, number in counts.items():
        for folder in (split, f'{split}annot'):
            (root / folder).mkdir(parents=True)
        scenes = PartWholeScenes(
            num_scenes=number, size=size, seed=len(split),
            task='segmentation')
        for i, scene in enumerate(scenes):
            name = f'0001TP_{i:06d}'
            Image.fromarray(scene['img'][..., ::-1]).save(
                root / split / f'{name}{suffix}')
            labels = scene['gt_seg_map'].clip(max=11).astype(np.uint8)
            Image.fromarray(labels).save(
                root / f'{split}annot' / f'{name}.png')


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
