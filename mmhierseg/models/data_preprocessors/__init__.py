"""Data preprocessors that add the segment map to the image.

Each extends that of MMPretrain or MMSegmentation; a user of one of these
packages does not need the other.
"""

from importlib.util import find_spec

from mmhierseg.registry import register_placeholder

from .mixin import SuperpixelMixin

if find_spec('mmpretrain') is not None:
    from .pretraining import (
        SuperpixelClsDataPreprocessor,
        SuperpixelSelfSupDataPreprocessor,
    )
else:
    SuperpixelClsDataPreprocessor, SuperpixelSelfSupDataPreprocessor = (
        register_placeholder(f'Superpixel{kind}DataPreprocessor', 'mmpretrain')
        for kind in ('Cls', 'SelfSup'))

if find_spec('mmseg') is not None:
    from .segmentation import (
        MultiViewSegDataPreProcessor,
        SuperpixelSegDataPreProcessor,
    )
else:
    MultiViewSegDataPreProcessor, SuperpixelSegDataPreProcessor = (
        register_placeholder(f'{kind}SegDataPreProcessor', 'mmseg')
        for kind in ('MultiView', 'Superpixel'))

__all__ = [
    'MultiViewSegDataPreProcessor', 'SuperpixelClsDataPreprocessor',
    'SuperpixelMixin', 'SuperpixelSegDataPreProcessor',
    'SuperpixelSelfSupDataPreprocessor'
]
