"""Datasets whose labels are the finest classes of a taxonomy."""

from pathlib import Path
from typing import Any

from mmpretrain.datasets import CUB, BaseDataset, FGVCAircraft

from mmhierseg._base.errors import UserError
from mmhierseg._base.image_files import IMAGE_SUFFIXES
from mmhierseg.registry import DATASETS

from .taxonomy import Taxonomy


class TaxonomyLabels:
    """Numbers the classes of a dataset as a taxonomy does.

    Precedes a dataset with ``METAINFO['classes']`` in the bases.

    Args:
        taxonomy (str | dict | Taxonomy): See ``Taxonomy.of``. Its finest
            classes become those of the dataset; it may have others, too.
        args, kwargs: Arguments of the dataset.

    Raises:
        UserError: If classes of the dataset are missing in the taxonomy.
    """

    def __init__(self, *args: Any, taxonomy: str | dict | Taxonomy,
                 metainfo: dict | None = None, **kwargs: Any) -> None:
        self.taxonomy = Taxonomy.of(taxonomy)
        metainfo = {**(metainfo or {}), 'classes': self.taxonomy.classes[0]}
        super().__init__(*args, metainfo=metainfo, **kwargs)

    def load_data_list(self) -> list[dict]:
        """List the images, with the taxonomy's labels."""
        labels = self.taxonomy.labels_of(self.METAINFO['classes'])
        infos = super().load_data_list()
        for info in infos:
            info['gt_label'] = int(labels[info['gt_label']])
        return infos


@DATASETS.register_module()
class TaxonomyCUB(TaxonomyLabels, CUB):
    """MMPretrain's ``CUB`` (CUB-200-2011) with a taxonomy's labels."""


@DATASETS.register_module()
class TaxonomyAircraft(TaxonomyLabels, FGVCAircraft):
    """MMPretrain's ``FGVCAircraft`` with a taxonomy's labels."""


@DATASETS.register_module()
class TaxonomyFolder(BaseDataset):
    """Images in folders named by the finest classes of a taxonomy.

    A class's folder is ``<class>``, as in ImageNet, or its path, such as
    ``family/genus/species``. Other folders are not read, so a taxonomy of
    some classes, such as those of BREEDS, selects these from ImageNet.

    Args:
        data_root (str): Root of the dataset.
        taxonomy (str | dict | Taxonomy): See ``Taxonomy.of``.
        data_prefix (str): Folder of the classes in ``data_root``.
        kwargs: Arguments of MMPretrain's ``BaseDataset``.

    Raises:
        UserError: If classes have no folder, or there are no images.
    """

    def __init__(self, data_root: str, taxonomy: str | dict | Taxonomy,
                 data_prefix: str = '', metainfo: dict | None = None,
                 **kwargs: Any) -> None:
        self.taxonomy = Taxonomy.of(taxonomy)
        metainfo = {**(metainfo or {}), 'classes': self.taxonomy.classes[0]}
        super().__init__(ann_file='', data_root=data_root,
                         data_prefix=data_prefix, metainfo=metainfo, **kwargs)

    def load_data_list(self) -> list[dict]:
        """List the images of all classes, sorted by class and name."""
        root, missing, infos = Path(self.img_prefix), [], []
        for label, path in enumerate(self.taxonomy.paths):
            names = [classes[i] for classes, i in zip(
                self.taxonomy.classes, path)]
            # The path first: a class may have the name of its parent.
            folder = root.joinpath(*reversed(names))
            if not folder.is_dir():
                folder = root / names[0]
            if not folder.is_dir():
                missing.append(names[0])
                continue
            infos += [
                dict(img_path=str(image), gt_label=label)
                for image in sorted(folder.iterdir())
                if image.suffix.lower() in IMAGE_SUFFIXES
            ]
        if missing or not infos:
            raise UserError(
                f'{root} must have a folder of images for each of the '
                f'{len(self.taxonomy.paths)} finest classes, such as '
                f'{self.taxonomy.classes[0][0]}; there are {len(infos)} '
                f'images, and no folders of {len(missing)} classes: '
                f'{missing[:5]}')
        return infos
