"""The two releases of PartImageNet, told apart by their files.

*OOD* has COCO-style JSON, ``annotations/{split}.json``, of parts and their
super-categories, and splits of different classes. *Seg* has label PNGs,
``annotations/{split}`` of the 40 parts and ``annotations/{split}_whole`` of
158 whole objects, classes of ImageNet; the background is the last id, 40 or
158; the splits are of images. JSON files beside the PNGs hold sizes only.
"""

import os.path as osp

import mmengine.fileio as fileio

from mmhierseg._base.errors import UserError

from .part_imagenet_classes import OBJECT_OF_PART, PARTS, class_names

#: Number of whole objects in *Seg*; their names are in no file of it.
NUM_WHOLE = 158
RELEASES = ('ood', 'seg')


def release_names(release: str, labels: str) -> tuple[str, ...]:
    """Names of the classes of a label map, background first."""
    if release not in RELEASES:
        raise UserError(f"`release` must be 'ood' or 'seg', got {release!r}")
    if release == 'seg' and labels == 'whole':
        return ('background', *(f'whole {i}' for i in range(NUM_WHOLE)))
    return class_names(labels)


def seg_ids(labels: str) -> dict[int, int]:
    """Our id of each value in a PNG of *Seg*; 0 = background."""
    if labels == 'whole':
        return {i: (i + 1) % (NUM_WHOLE + 1) for i in range(NUM_WHOLE + 1)}
    ids = {i: i + 1 for i in range(len(PARTS))}
    if labels == 'object':
        ids = {i: int(OBJECT_OF_PART[part]) for i, part in ids.items()}
    return {**ids, len(PARTS): 0}


def check_release(release: str, labels: str, path: str, is_list: bool,
                  backend_args: dict | None) -> None:
    """Raise a UserError if files are of the other release.

    ``path`` is the JSON if ``is_list``, else the folder of label PNGs.
    """
    def has_folder(name: str) -> bool:
        return bool(name) and fileio.isdir(name, backend_args=backend_args)

    path = path.rstrip('/\\')
    base = osp.splitext(path)[0] if is_list else path.removesuffix('_whole')
    # A list of Seg lies among its PNGs.
    found = next((name for name in (base, osp.dirname(path))
                  if has_folder(f'{name}_whole')), None)
    if release == 'ood' and found is not None:
        raise UserError(
            f"'{path}' is of PartImageNet's release Seg, which has label PNGs "
            f"in '{found}' and '{found}_whole' (158 whole objects, background "
            "last). Read it by release='seg', ann_file='' and "
            "data_prefix['seg_map_path'], or name the folder of the release "
            'OOD, which has annotations/{train,val,test}.json')
    if release == 'ood':
        return
    if is_list or found is None:
        raise UserError(
            f"'{path}' is not of PartImageNet's release Seg: it has label "
            "PNGs of parts in annotations/val and of whole objects in "
            "annotations/val_whole, and so on. Name one of these folders in "
            "data_prefix['seg_map_path'], with ann_file='' or a list of "
            "images; COCO-style JSON is of the release OOD: release='ood'")
    if path.endswith('_whole') != (labels == 'whole'):
        raise UserError(
            f"labels={labels!r} are read from "
            f"'{base}{'_whole' if labels == 'whole' else ''}' of "
            f"PartImageNet's release Seg, got '{path}'")
