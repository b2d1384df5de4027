"""PartImageNet: objects of ImageNet with the masks of their parts."""

import os.path as osp
from collections.abc import Sequence

from mmengine.logging import print_log
from mmseg.datasets import BaseSegDataset

from mmhierseg._base.errors import UserError
from mmhierseg.registry import DATASETS

from .files import list_files, make_samples, read_file, read_list
from .part_imagenet_file import image_paths, parse_annotations
from .part_imagenet_releases import check_release, release_names, seg_ids
from .scenes.categories import voc_palette


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

    Images that the annotations list without any part are left out, and so are
    polygons of fewer than three points; the log says how many. All invalid
    masks are listed in one error.

    This is the release *OOD*. The other one, *Seg*, has label PNGs with the
    background last, and 158 whole objects, which are classes of ImageNet
    (``annotations/val_whole``)::

        dict(type='mmhierseg.PartImageNetDataset', release='seg',
             data_root='data/part_imagenet_seg', data_prefix=dict(
                 img_path='images/val', seg_map_path='annotations/val'), ...)

    It is read by ``LoadAnnotations``, and ids become those of *OOD*.

    Args:
        labels (str): 'part', 'object' or, of *Seg*, 'whole'. Defaults to
            'part'.
        release (str): 'ood' or 'seg'. Defaults to 'ood'.
        keep_unannotated (bool): Whether images that the JSON lists without
            any part are kept, as background, and images come in the order of
            their ids. Defaults to False.
        img_suffix (str): Suffix of the images. Defaults to '.JPEG'.
        metainfo (dict, optional): May hold ``classes``, a choice of the names.
        **kwargs: Arguments of ``BaseSegDataset``. ``ann_file`` is a
            COCO-style JSON, relative to ``data_root``, or '' to read label
            PNGs.

    Raises:
        UserError: If ``labels`` is unknown, the files are of the other
            release, or the annotations or an image cannot be read.
    """

    def __init__(self,
                 labels: str = 'part',
                 release: str = 'ood',
                 keep_unannotated: bool = False,
                 img_suffix: str = '.JPEG',
                 metainfo: dict | None = None,
                 **kwargs) -> None:
        self._all_classes = release_names(release, labels)
        self.labels = labels
        self.release = release
        self.keep_unannotated = keep_unannotated
        palette = voc_palette()[:len(self._all_classes)].tolist()
        metainfo = dict(
            dict(classes=self._all_classes, palette=palette),
            **(metainfo or {}))
        kwargs.setdefault('data_prefix', dict(img_path=''))
        super().__init__(img_suffix=img_suffix, metainfo=metainfo, **kwargs)

    def get_label_map(
            self, new_classes: Sequence[str] | None = None
    ) -> dict[int, int] | None:
        """New ids of the classes when only some of them are chosen.

        Unlike in the base class it is no class method: the classes depend on
        ``labels``. Classes that are left out become 255.
        """
        names = self._all_classes
        if new_classes is None or tuple(new_classes) == names:
            return None
        unknown = [name for name in new_classes if name not in names]
        if unknown:
            raise UserError(f'`classes` has {unknown}, which are no '
                            f'{self.labels}s; expected some of {names}')
        new = {name: i for i, name in enumerate(new_classes)}
        return {i: new.get(name, 255) for i, name in enumerate(names)}

    def load_data_list(self) -> list[dict]:
        """List the images, each with its annotations or its label PNG."""
        folder = self.data_prefix['img_path']
        hint = 'check `data_root` and `data_prefix` of PartImageNetDataset'
        is_json = self.ann_file.endswith('.json')
        check_release(
            self.release, self.labels,
            self.ann_file if is_json else self.data_prefix.get('seg_map_path')
            or '', is_json, self.backend_args)
        if not is_json:
            return self._label_pngs(folder, hint)
        images = parse_annotations(
            read_file(self.ann_file, 'annotation file', self.backend_args),
            self.ann_file,
            sort=self.keep_unannotated)
        annotated = [image for image in images if image.parts]
        if not annotated:
            raise UserError(f"annotation file '{self.ann_file}' annotates no "
                            'part of any image')
        if self.keep_unannotated:
            annotated = images
        elif len(annotated) < len(images):
            print_log(
                f'{len(images) - len(annotated)} of {len(images)} images of '
                f'{self.ann_file} have no annotated part and are left out',
                logger='current')
        found = list_files(folder, hint, backend_args=self.backend_args)
        paths = image_paths([image.file_name for image in annotated], found,
                            folder, self.ann_file)
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

    def _label_pngs(self, folder: str, hint: str) -> list[dict]:
        """List the images, each with its label PNG."""
        args = self.backend_args
        samples = make_samples(
            self,
            read_list(self.ann_file, 'list of images', args) if self.ann_file
            else list_files(folder, hint, self.img_suffix, args))
        if self.release == 'seg':
            new = self.label_map or {}
            ids = {value: new.get(i, i)
                   for value, i in seg_ids(self.labels).items()}
            samples = [dict(sample, label_map=ids) for sample in samples]
        return samples
