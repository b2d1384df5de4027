"""Datasets and their transforms."""

from importlib.util import find_spec

from mmhierseg.registry import DATASETS, register_placeholder

from .part_whole_scenes import PartWholeScenes

if find_spec('mmseg') is not None:
    from .kitti_step import KITTISTEPDataset
    from .part_imagenet import PartImageNetDataset
else:
    KITTISTEPDataset, PartImageNetDataset = (
        register_placeholder(name, 'mmseg', DATASETS)
        for name in ('KITTISTEPDataset', 'PartImageNetDataset'))

__all__ = ['KITTISTEPDataset', 'PartImageNetDataset', 'PartWholeScenes']
