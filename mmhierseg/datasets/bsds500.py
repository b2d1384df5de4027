"""BSDS500: photographs, each segmented by several people.

Arbelaez et al., "Contour Detection and Hierarchical Image Segmentation",
TPAMI 2011.
"""

from mmseg.datasets import BaseSegDataset

from mmhierseg.registry import DATASETS

from .files import list_pairs


@DATASETS.register_module()
class BSDS500Dataset(BaseSegDataset):
    """BSDS500, with the segmentations of all annotators.

    ::

        data/bsds500
        ├── images/{train,val,test}/*.jpg
        └── groundTruth/{train,val,test}/*.mat

    Regions have no classes. ``dict(type='mmhierseg.LoadHumanSegmentations')``
    loads the segmentations of an image, and
    ``dict(type='mmhierseg.PackHumanSegmentations')`` packs them as
    ``gt_segmentations`` of its data sample.

    Args:
        split (str): 'train', 'val' or 'test'; ``data_prefix`` may name other
            folders. Defaults to 'test'.
        img_suffix (str): Suffix of the images. Defaults to '.jpg'.
        seg_map_suffix (str): Suffix of the ground truth. Defaults to '.mat'.
        **kwargs: Arguments of ``BaseSegDataset``. A text file ``ann_file``
            names the images to read, one a line, without suffix.

    Raises:
        UserError: If a folder, an image or its ground truth is missing.
    """

    METAINFO = dict(classes=(), palette=[])

    def __init__(self,
                 split: str = 'test',
                 img_suffix: str = '.jpg',
                 seg_map_suffix: str = '.mat',
                 **kwargs) -> None:
        kwargs.setdefault(
            'data_prefix',
            dict(
                img_path=f'images/{split}',
                seg_map_path=f'groundTruth/{split}'))
        super().__init__(
            img_suffix=img_suffix, seg_map_suffix=seg_map_suffix, **kwargs)

    def load_data_list(self) -> list[dict]:
        """List the images with their ground truth."""
        return list_pairs(self)
