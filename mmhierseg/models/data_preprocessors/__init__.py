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
    SuperpixelClsDataPreprocessor = register_placeholder(
        'SuperpixelClsDataPreprocessor', 'mmpretrain')
    SuperpixelSelfSupDataPreprocessor = register_placeholder(
        'SuperpixelSelfSupDataPreprocessor', 'mmpretrain')

if find_spec('mmseg') is not None:
    from .multi_view_data_preprocessor import MultiViewSegDataPreProcessor
    from .seg_data_preprocessor import SuperpixelSegDataPreProcessor
else:
    MultiViewSegDataPreProcessor = register_placeholder(
        'MultiViewSegDataPreProcessor', 'mmseg')
    SuperpixelSegDataPreProcessor = register_placeholder(
        'SuperpixelSegDataPreProcessor', 'mmseg')

__all__ = [
    'MultiViewSegDataPreProcessor', 'SuperpixelClsDataPreprocessor',
    'SuperpixelMixin', 'SuperpixelSegDataPreProcessor',
    'SuperpixelSelfSupDataPreprocessor'
]
