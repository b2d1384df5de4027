"""Tiny part-whole scenes where the configs of segmentation look for data."""

from .scripts import run_main

#: Folder of each layout, relative to where a tool is run.
DATA_ROOTS = dict(
    voc='data/VOCdevkit/VOC2012',
    cityscapes='data/cityscapes',
    kitti_step='data/kitti_step',
    ade20k='data/ade/ADEChallengeData2016',
    pascal_context='data/VOCdevkit/VOC2010',
    part_imagenet='data/part_imagenet')
#: Scenes of training and of validation.
COUNTS = (8, 4)


def make_segmentation_data(root, layouts=tuple(DATA_ROOTS)):
    """Eight scenes for training and four for validation in each layout.

    Of VOC's training scenes, four are in each of its two lists.
    """
    for layout in layouts:
        run_main('dataset_converters/make_part_whole_scenes.py',
                 root / DATA_ROOTS[layout], '--layout', layout, '--train',
                 COUNTS[0], '--val', COUNTS[1], '--size', 60, 88, '--workers',
                 1, '--categories', 'car', 'cat', 'boat', 'bottle')
