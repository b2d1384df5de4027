"""Data preprocessors that add the segment map to the image.

Each extends that of MMPretrain or MMSegmentation; a user of one of these
packages does not need the other.
"""

from importlib.util import find_spec

from mmhierseg.registry import register_placeholder

from .mixin import SuperpixelMixin

if find_spec('mmpretrain') is not None:
    from .cls_data_preprocessor import SuperpixelClsDataPreprocessor
    from .selfsup_data_preprocessor import SuperpixelSelfSupDataPreprocessor
else:
    SuperpixelClsDataPreprocessor, SuperpixelSelfSupDataPreprocessor = (
        register_placeholder(f'Superpixel{kind}DataPreprocessor', 'mmpretrain')
        for kind in ('Cls', 'SelfSup'))

if find_spec('mmseg') is not None:
    from .multi_view_data_preprocessor import MultiViewSegDataPreProcessor
    from .seg_data_preprocessor import SuperpixelSegDataPreProcessor
else:
    MultiViewSegDataPreProcessor, SuperpixelSegDataPreProcessor = (
        register_placeholder(f'{kind}SegDataPreProcessor', 'mmseg')
        for kind in ('MultiView', 'Superpixel'))

__all__ = [
    'MultiViewSegDataPreProcessor', 'SuperpixelClsDataPreprocessor',
    'SuperpixelMixin', 'SuperpixelSegDataPreProcessor',
    'SuperpixelSelfSupDataPreprocessor'
]
