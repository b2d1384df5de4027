"""CamVid: frames of videos from a car, in the 11 classes of SegNet.

Brostow et al., "Semantic Object Classes in Video", Pattern Recognition
Letters 2009; Badrinarayanan et al., "SegNet", TPAMI 2017.
"""

import os.path as osp
from collections.abc import Sequence

from mmseg.datasets import BaseSegDataset

from mmhierseg._base.errors import UserError
from mmhierseg.registry import DATASETS

from .files import list_pairs
from .transforms.load_camvid_map import COLORS


@DATASETS.register_module()
class CamVidDataset(BaseSegDataset):
    """CamVid with 11 classes; pixels without a class become 255.

    ::

        data/camvid                        layout='segnet', 360 x 480
        ├── {train,val,test}/*.png
        └── {train,val,test}annot/*.png    0 to 10, 11 = no class

        data/camvid                        layout='original', 720 x 960
        ├── 701_StillsRaw_full/*.png
        └── LabeledApproved_full/*_L.png   colours of 32 classes

    The first one's labels are loaded by ``LoadAnnotations``, the other's by
    ``dict(type='mmhierseg.LoadCamVidMap')``. Splits are SegNet's: 367, 101
    and 233 frames.

    Args:
        split (str): 'train', 'val' or 'test'. Defaults to 'train'.
        layout (str): 'segnet' or 'original'. Defaults to 'segnet'.
        img_suffix (str): Suffix of the images. Defaults to '.png'.
        **kwargs: Arguments of ``BaseSegDataset``, such as other folders by
            ``data_prefix``. A text file ``ann_file`` names the frames to read,
            one a line, without suffix.

    Raises:
        UserError: If an option is unknown, or an image or a map is missing.
    """

    METAINFO = dict(
        classes=tuple(COLORS),
        palette=[[64 * int(digit) for digit in colors[:3]]
                 for colors in COLORS.values()])

    def __init__(self,
                 split: str = 'train',
                 layout: str = 'segnet',
                 img_suffix: str = '.png',
                 **kwargs) -> None:
        if (split not in ('train', 'val', 'test')
                or layout not in ('segnet', 'original')):
            raise UserError(
                "`split` must be 'train', 'val' or 'test' and `layout` "
                f"'segnet' or 'original', got {split!r} and {layout!r}")
        self.split, self.layout = split, layout
        folders, suffix = (split, f'{split}annot'), '.png'
        if layout == 'original':
            folders = '701_StillsRaw_full', 'LabeledApproved_full'
            suffix = '_L.png'
        kwargs.setdefault('data_prefix',
                          dict(zip(('img_path', 'seg_map_path'), folders)))
        kwargs.setdefault('seg_map_suffix', suffix)
        super().__init__(img_suffix=img_suffix, **kwargs)

    @classmethod
    def get_label_map(cls,
                      new_classes: Sequence[str] | None = None
                      ) -> dict[int, int]:
        """New ids of the classes; 255 for those left out, and for 11."""
        return {**(super().get_label_map(new_classes) or {}), 11: 255}

    def load_data_list(self) -> list[dict]:
        """List the frames with their label maps, and check them."""
        infos = list_pairs(self)
        if self.layout == 'original' and not self.ann_file:
            infos = [
                info for info in infos
                if _split_of(osp.basename(info['img_path'])) == self.split
            ]
        return infos


def _split_of(name: str) -> str:
    """SegNet's split of a frame, such as ``0016E5_07959.png``."""
    sequence, _, frame = osp.splitext(name)[0].partition('_')
    if sequence == 'Seq05VD' or sequence == '0001TP' and frame >= '008550':
        return 'test'
    is_val = sequence == '0016E5' and '07959' <= frame <= '08159'
    return 'val' if is_val else 'train'
