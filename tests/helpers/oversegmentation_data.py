"""Tiny images and their over-segmentation where configs of HSG look for it."""

import numpy as np
from PIL import Image

from mmhierseg.datasets import PartWholeScenes
from mmhierseg.datasets.transforms.load_segment_map import encode_segment_map
from mmhierseg.oversegmentation import OverSegmenter

from .camvid import make_camvid, make_coco_stuff, make_potsdam
from .segmentation_data import DATA_ROOTS, make_segmentation_data

#: Images to train on, and their over-segmentation, relative to where a tool
#: is run; evaluation data has a layout of its own.
FOLDERS = dict(
    coco=('data/coco/train2017', 'data/coco/oversegmentation/train2017'),
    cityscapes=('data/cityscapes/leftImg8bit/train',
                'data/cityscapes/oversegmentation/train'),
    kitti_step=('data/kitti_step/images/train',
                'data/kitti_step/oversegmentation/train'),
    coco_stuff=('data/coco_stuff164k/images/train2017',
                'data/coco_stuff164k/oversegmentation/train2017'),
    potsdam=('data/potsdam/img_dir/train',
             'data/potsdam/oversegmentation/train'),
    camvid=('data/camvid/train', 'data/camvid/oversegmentation/train'))
_EVALUATION = dict(coco='voc', cityscapes='cityscapes',
                   kitti_step='kitti_step')


def make_oversegmentation_data(root, names=tuple(FOLDERS)):
    """Write the files that training and evaluation of HSG read.

    Eight images of 60 x 88 for training, each with its over-segmentation;
    for evaluation, eight images for the memory bank and four to test.
    """
    layouts = [_EVALUATION[name] for name in names if name in _EVALUATION]
    make_segmentation_data(
        root, [name for name in layouts if not (root / DATA_ROOTS[name]
                                                ).exists()])
    if 'camvid' in names:
        make_camvid(root / 'data/camvid', dict(train=8, val=4, test=4))
    for name, make, folder in (('coco_stuff', make_coco_stuff,
                                'coco_stuff164k'),
                               ('potsdam', make_potsdam, 'potsdam')):
        if name in names:
            make(root / 'data' / folder, dict(train=8, val=4))
    segmenter = OverSegmenter()
    for name in names:
        images, maps = (root / folder for folder in FOLDERS[name])
        images.mkdir(parents=True, exist_ok=True)
        scenes = PartWholeScenes(num_scenes=8, size=(60, 88), seed=5)
        for i, scene in enumerate(scenes if name == 'coco' else ()):
            Image.fromarray(scene['img'][..., ::-1]).save(
                images / f'{i:012d}.jpg', quality=95)
        for path in sorted(images.rglob('*.*')):
            rgb = np.asarray(Image.open(path).convert('RGB'))
            target = (maps / path.relative_to(images)).with_suffix('.png')
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(encode_segment_map(segmenter(rgb)))
