"""Datasets and their transforms."""

from importlib.util import find_spec

from mmhierseg.registry import DATASETS, register_placeholder

from .part_whole_scenes import PartWholeScenes

if find_spec('mmseg') is not None:
    from .bsds500 import BSDS500Dataset
    from .camvid import CamVidDataset
    from .kitti_step import KITTISTEPDataset
    from .part_imagenet import PartImageNetDataset
else:
    (BSDS500Dataset, CamVidDataset, KITTISTEPDataset, PartImageNetDataset) = (
        register_placeholder(name, 'mmseg', DATASETS)
        for name in ('BSDS500Dataset', 'CamVidDataset', 'KITTISTEPDataset',
                     'PartImageNetDataset'))

__all__ = [
    'BSDS500Dataset', 'CamVidDataset', 'KITTISTEPDataset',
    'PartImageNetDataset', 'PartWholeScenes'
]
