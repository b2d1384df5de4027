"""KITTI-STEP, the scenes of KITTI's tracking benchmark with panoptic maps.

Weber et al., "STEP: Segmenting and Tracking Every Pixel", NeurIPS 2021
(arXiv 2102.11859). In a panoptic map R is the class, one of the 19 of
Cityscapes or 255, and 256 G + B the number of the instance.
"""

import os.path as osp
from collections.abc import Callable, Sequence

import mmengine.fileio as fileio
from mmseg.datasets import BaseSegDataset, CityscapesDataset

from mmhierseg.registry import DATASETS

from .kitti_step_split import check_sequences
from .files import check_pairs

__all__ = ['KITTISTEPDataset']


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

    All frames are looked for before training starts: an image without a map,
    a map without an image, and a sequence of another split are errors.

    Args:
        split (str, optional): 'train' or 'val': its folders are read, unless
            ``data_prefix`` names others, and each sequence must be of this
            split. Defaults to None: the split is what the folder of the
            images is called; folders of other names may hold any sequence.
        data_prefix (dict, optional): Folders ``img_path`` and
            ``seg_map_path``, relative to ``data_root``; without the latter,
            images are read alone. Defaults to None, those of ``split``.
        ann_file (str): Text file that names the frames to read, such as
            ``0002/000017``, one a line. Defaults to '', all of them.
        img_suffix (str): What images end in. Defaults to '.png'.
        seg_map_suffix (str): What maps end in. Defaults to '.png'.
        metainfo (dict, optional): Meta information, such as ``classes``, a
            choice of the 19. Defaults to None.
        data_root (str, optional): Root of the data set. Defaults to None.
        filter_cfg (dict, optional): Handed to the base class.
            Defaults to None.
        indices (int | Sequence[int], optional): How many frames, or which
            ones, to take. Defaults to None, all of them.
        serialize_data (bool): Whether to share the list of frames between
            processes. Defaults to True.
        pipeline (Sequence): Transforms. Defaults to ().
        test_mode (bool): Whether a pipeline that returns None is an error.
            Defaults to False.
        lazy_init (bool): Whether to leave the list of frames for later.
            Defaults to False.
        max_refetch (int): How often to try another frame in place of one that
            the pipeline drops. Defaults to 1000.
        ignore_index (int): Label that is ignored. Defaults to 255.
        backend_args (dict, optional): Arguments of MMEngine's file backend.
            Defaults to None.

    Raises:
        ValueError: If there is neither ``split`` nor ``data_prefix``, a
            sequence is of another split, or there is no frame.
        FileNotFoundError: If a folder, an image or a map is missing.
    """

    METAINFO = dict(CityscapesDataset.METAINFO)

    def __init__(self,
                 split: str | None = None,
                 data_prefix: dict[str, str] | None = None,
                 ann_file: str = '',
                 img_suffix: str = '.png',
                 seg_map_suffix: str = '.png',
                 metainfo: dict | None = None,
                 data_root: str | None = None,
                 filter_cfg: dict | None = None,
                 indices: int | Sequence[int] | None = None,
                 serialize_data: bool = True,
                 pipeline: Sequence[dict | Callable] = (),
                 test_mode: bool = False,
                 lazy_init: bool = False,
                 max_refetch: int = 1000,
                 ignore_index: int = 255,
                 backend_args: dict | None = None) -> None:
        self.split, data_prefix = _folders(split, data_prefix)
        super().__init__(
            ann_file=ann_file,
            img_suffix=img_suffix,
            seg_map_suffix=seg_map_suffix,
            metainfo=metainfo,
            data_root=data_root,
            data_prefix=data_prefix,
            filter_cfg=filter_cfg,
            indices=indices,
            serialize_data=serialize_data,
            # BaseDataset hands the list to Compose as it is.
            pipeline=list(pipeline),
            test_mode=test_mode,
            lazy_init=lazy_init,
            max_refetch=max_refetch,
            ignore_index=ignore_index,
            backend_args=backend_args)

    def load_data_list(self) -> list[dict]:
        """List the frames, each with its image and map, and check them.

        Returns:
            list[dict]: One entry per frame, in the order of their paths.
        """
        images = self._files(self.data_prefix['img_path'], self.img_suffix)
        if self.split is not None:
            check_sequences(
                sorted({osp.dirname(name) for name in images}), self.split,
                self.data_prefix['img_path'])
        infos = super().load_data_list()
        chosen = self._names(infos, images)
        folder = self.data_prefix.get('seg_map_path')
        maps = (
            images if folder is None else self._files(
                folder, self.seg_map_suffix))
        check_pairs(
            chosen,
            images,
            maps,
            image_folder=self.data_prefix['img_path'],
            map_folder=folder or '',
            # A list may leave frames out, whose maps may well be there.
            check_others=not self.ann_file)
        return infos

    def _names(self, infos: list[dict], images: list[str]) -> list[str]:
        """``sequence/frame`` of what is to be read."""
        if not self.ann_file:
            return images
        start, end = len(self.data_prefix['img_path']), len(self.img_suffix)
        return [
            info['img_path'][start:-end].lstrip('/\\') for info in infos
        ]

    def _files(self, folder: str, suffix: str) -> list[str]:
        """``sequence/frame`` of all files of a folder."""
        if not fileio.isdir(folder, backend_args=self.backend_args):
            raise FileNotFoundError(
                f"there is no folder '{folder}': check `data_root`, "
                '`data_prefix` and `split` of KITTISTEPDataset; it takes '
                'images/train/0000/000000.png and '
                'panoptic_maps/train/0000/000000.png')
        names = fileio.list_dir_or_file(
            folder,
            list_dir=False,
            suffix=suffix,
            recursive=True,
            backend_args=self.backend_args)
        return sorted(
            name[:-len(suffix)].replace('\\', '/') for name in names)


def _folders(
    split: str | None, data_prefix: dict[str, str] | None
) -> tuple[str | None, dict[str, str]]:
    """Split and folders, where one of them may follow from the other."""
    if split not in (None, 'train', 'val'):
        raise ValueError("`split` must be 'train' or 'val', or None with "
                         f'`data_prefix` in its place, got {split!r}')
    if data_prefix is None:
        if split is None:
            raise ValueError("KITTISTEPDataset needs `split`, 'train' or "
                             "'val', or `data_prefix`, the folders to read")
        return split, dict(
            img_path=f'images/{split}', seg_map_path=f'panoptic_maps/{split}')
    if not data_prefix.get('img_path'):
        raise ValueError('`data_prefix` must name `img_path`, the folder of '
                         f'the images, got {data_prefix}')
    if split is None:
        name = osp.basename(osp.normpath(data_prefix['img_path']))
        split = name if name in ('train', 'val') else None
    return split, data_prefix
