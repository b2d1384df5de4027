"""Datasets and their transforms."""

from importlib.util import find_spec

from mmhierseg.registry import DATASETS, register_placeholder

from .part_whole_scenes import PartWholeScenes

if find_spec('mmseg') is not None:
    from .kitti_step import KITTISTEPDataset
    from .part_imagenet import PartImageNetDataset
else:
    KITTISTEPDataset = register_placeholder('KITTISTEPDataset', 'mmseg',
                                            DATASETS)
    PartImageNetDataset = register_placeholder('PartImageNetDataset', 'mmseg',
                                               DATASETS)

__all__ = ['KITTISTEPDataset', 'PartImageNetDataset', 'PartWholeScenes']
