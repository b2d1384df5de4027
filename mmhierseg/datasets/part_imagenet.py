"""PartImageNet: objects of ImageNet with the masks of their parts."""

import os.path as osp
from collections.abc import Callable, Sequence

import mmengine.fileio as fileio
from mmengine.logging import print_log
from mmseg.datasets import BaseSegDataset

from mmhierseg.registry import DATASETS

from .part_imagenet_classes import class_names, class_palette
from .part_imagenet_file import image_paths, parse_annotations
from .transforms.load_image import read_file

__all__ = ['PartImageNetDataset']


@DATASETS.register_module()
class PartImageNetDataset(BaseSegDataset):
    """PartImageNet, labelled by parts or by objects.

    ::

        data/part_imagenet
        ├── images/{train,val,test}/{class}/{name}.JPEG
        └── annotations/{train,val,test}.json

    40 parts, or 11 objects, and the background, 0. The pipeline draws the
    label map of an image from its annotations by
    ``dict(type='mmhierseg.LoadPartMap')``. Label PNGs, which
    ``tools/dataset_converters/part_imagenet.py`` writes, are read by
    MMSegmentation's ``LoadAnnotations``, with ``ann_file=''`` and, in
    ``data_prefix``, ``seg_map_path='labels/part/train'``.

    Images that the annotations list but that have no part are left out, and
    the log says how many.

    Args:
        labels (str): 'part' or 'object'. Defaults to 'part'.
        ann_file (str): COCO-style JSON, relative to ``data_root``; or '' to
            read label PNGs. Defaults to ''.
        data_prefix (dict): Folders ``img_path`` and, for label PNGs,
            ``seg_map_path``, relative to ``data_root``. Defaults to
            ``dict(img_path='')``.
        img_suffix (str): What images end in. Defaults to '.JPEG'.
        seg_map_suffix (str): What label PNGs end in. Defaults to '.png'.
        metainfo (dict, optional): Meta information, such as ``classes``, a
            choice of the names. Defaults to None.
        data_root (str, optional): Root of the data set. Defaults to None.
        filter_cfg (dict, optional): Handed to the base class.
            Defaults to None.
        indices (int | Sequence[int], optional): How many images, or which
            ones, to take. Defaults to None, all of them.
        serialize_data (bool): Whether to share the list of images between
            processes. Defaults to True.
        pipeline (Sequence): Transforms. Defaults to ().
        test_mode (bool): Whether a pipeline that returns None is an error.
            Defaults to False.
        lazy_init (bool): Whether to leave the list of images for later.
            Defaults to False.
        max_refetch (int): How often to try another image in place of one that
            the pipeline drops. Defaults to 1000.
        ignore_index (int): Label that is ignored. Defaults to 255.
        backend_args (dict, optional): Arguments of MMEngine's file backend.
            Defaults to None.

    Raises:
        ValueError: If ``labels`` is unknown, the annotations cannot be read,
            or nothing is annotated.
        FileNotFoundError: If the annotations, or an image, are missing.
    """

    def __init__(self,
                 labels: str = 'part',
                 ann_file: str = '',
                 data_prefix: dict[str, str] | None = None,
                 img_suffix: str = '.JPEG',
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
        self._all_classes = class_names(labels)
        self.labels = labels
        super().__init__(
            ann_file=ann_file,
            img_suffix=img_suffix,
            seg_map_suffix=seg_map_suffix,
            metainfo=dict(
                dict(
                    classes=self._all_classes, palette=class_palette(labels)),
                **(metainfo or {})),
            data_root=data_root,
            data_prefix=dict(img_path='')
            if data_prefix is None else data_prefix,
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

    def get_label_map(
            self,
            new_classes: Sequence[str] | None = None
    ) -> dict[int, int] | None:
        """Ids that a choice of classes gets; no class method as in the base.

        What the classes are depends on ``labels``.

        Args:
            new_classes (Sequence[str], optional): Names. Defaults to None.

        Returns:
            dict[int, int], optional: New id of each old one, 255 for those
            that are left out; None if nothing changes.

        Raises:
            ValueError: If there is no class of such a name.
        """
        names = self._all_classes
        if new_classes is None or tuple(new_classes) == names:
            return None
        unknown = [name for name in new_classes if name not in names]
        if unknown:
            raise ValueError(f'`classes` has {unknown}, which are no '
                             f'{self.labels}s; expected some of {names}')
        new = list(new_classes)
        return {
            i: new.index(name) if name in new else 255
            for i, name in enumerate(names)
        }

    def load_data_list(self) -> list[dict]:
        """List the images, each with its annotations or its label PNG.

        Returns:
            list[dict]: One entry per image; with a JSON, ``part_annotations``
            and ``part_labels`` say what :class:`LoadPartMap` draws.
        """
        if not self.ann_file.endswith('.json'):
            return super().load_data_list()
        images = parse_annotations(
            read_file(self.ann_file, 'annotation file', self.backend_args),
            self.ann_file)
        annotated = [image for image in images if image.parts]
        if not annotated:
            raise ValueError(f"annotation file '{self.ann_file}' annotates no "
                             'part of any image')
        if len(annotated) < len(images):
            print_log(
                f'{len(images) - len(annotated)} of {len(images)} images of '
                f'{self.ann_file} have no annotated part and are left out',
                logger='current')
        folder = self.data_prefix['img_path']
        paths = image_paths([image.file_name for image in annotated],
                            self._files(folder), folder, self.ann_file)
        return [
            dict(
                img_path=osp.join(folder, path),
                part_annotations=image.parts,
                part_size=image.size,
                part_labels=self.labels,
                label_map=self.label_map,
                reduce_zero_label=False,
                seg_fields=[]) for path, image in zip(paths, annotated)
        ]

    def _files(self, folder: str) -> list[str]:
        """All files below a folder."""
        if not fileio.isdir(folder, backend_args=self.backend_args):
            raise FileNotFoundError(
                f"there is no folder '{folder}': check `data_root` and "
                '`data_prefix` of PartImageNetDataset')
        names = fileio.list_dir_or_file(
            folder,
            list_dir=False,
            recursive=True,
            backend_args=self.backend_args)
        return [name.replace('\\', '/') for name in names]
