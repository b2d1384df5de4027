"""KITTI-STEP: KITTI's tracking benchmark with panoptic maps.

Weber et al., "STEP: Segmenting and Tracking Every Pixel", NeurIPS 2021
(arXiv 2102.11859). In a panoptic map R is the class, one of the 19 of
Cityscapes or 255, and 256 G + B the number of the instance.
"""

import os.path as osp

from mmseg.datasets import BaseSegDataset, CityscapesDataset

from mmhierseg._base.errors import UserError
from mmhierseg.registry import DATASETS

from .files import list_names, list_pairs
from .kitti_step_split import check_sequences


@DATASETS.register_module()
class KITTISTEPDataset(BaseSegDataset):
    """KITTI-STEP, read from its panoptic maps.

    ::

        data/kitti_step
        ├── images/{train,val}/{sequence}/{frame}.png
        └── panoptic_maps/{train,val}/{sequence}/{frame}.png

    Classes and palette are those of Cityscapes. The pipeline loads the
    panoptic maps by ``dict(type='mmhierseg.LoadPanopticMap')``. Label PNGs,
    which ``tools/dataset_converters/kitti_step.py`` writes, are read by
    MMSegmentation's ``LoadAnnotations``, with
    ``data_prefix=dict(img_path='images/train', seg_map_path='labels/train')``.

    All frames are looked for before training starts.

    Args:
        split (str, optional): 'train' or 'val'. Its folders are read, unless
            ``data_prefix`` names others, and each sequence must be of this
            split. Defaults to None: the name of the image folder; a folder of
            another name may hold any sequence.
        data_prefix (dict, optional): Folders ``img_path`` and
            ``seg_map_path``, relative to ``data_root``; without the latter,
            images are read alone. Defaults to None, those of ``split``.
        img_suffix (str): Suffix of the images. Defaults to '.png'.
        **kwargs: Arguments of ``BaseSegDataset``. A text file ``ann_file``
            names the frames to read, one a line, such as ``0002/000017``.

    Raises:
        UserError: If there is neither ``split`` nor ``data_prefix``, a
            sequence is of another split, or a frame, an image or a map is
            missing.
    """

    METAINFO = dict(CityscapesDataset.METAINFO)

    def __init__(self,
                 split: str | None = None,
                 data_prefix: dict[str, str] | None = None,
                 img_suffix: str = '.png',
                 **kwargs) -> None:
        self.split, data_prefix = _folders(split, data_prefix)
        super().__init__(
            data_prefix=data_prefix, img_suffix=img_suffix, **kwargs)

    def load_data_list(self) -> list[dict]:
        """List the frames with their images and maps, and check them."""
        if self.split is not None:
            folder = self.data_prefix['img_path']
            names = list_names(self, folder, self.img_suffix)
            check_sequences(
                sorted({osp.dirname(name) for name in names}), self.split,
                folder)
        return list_pairs(self)


def _folders(
        split: str | None, data_prefix: dict[str, str] | None
) -> tuple[str | None, dict[str, str]]:
    """Derive the folders from the split, or the split from the folders."""
    if split not in (None, 'train', 'val'):
        raise UserError("`split` must be 'train' or 'val', or None with "
                        f'`data_prefix` in its place, got {split!r}')
    if data_prefix is None:
        if split is None:
            raise UserError("KITTISTEPDataset needs `split`, 'train' or "
                            "'val', or `data_prefix`, the folders to read")
        return split, dict(
            img_path=f'images/{split}', seg_map_path=f'panoptic_maps/{split}')
    if not data_prefix.get('img_path'):
        raise UserError('`data_prefix` must name `img_path`, the folder of '
                        f'the images, got {data_prefix}')
    if split is None:
        name = osp.basename(osp.normpath(data_prefix['img_path']))
        split = name if name in ('train', 'val') else None
    return split, data_prefix
