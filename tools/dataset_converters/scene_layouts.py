"""Folder layouts of real datasets, and the ids that scenes get in them.

Scenes are drawings of twelve categories (and poles), numbered as in Pascal
VOC. In another dataset's layout a category has the id of the class of its
name; those without one, the background included, take the first classes that
no category is named like, in order: their names mean nothing then (in
Cityscapes, a cat is a "traffic light"). PartImageNet has objects of its own:
see :mod:`scene_parts`.
"""

import numpy as np
from scene_parts import image_name

from mmhierseg.datasets.kitti_step_split import SEQUENCES
from mmhierseg.datasets.scenes import SceneOptions, class_names, scene_index

# Names of the classes that scenes are found under, with their ids. Not taken
# from MMSegmentation, which making scenes does not need.
_CITYSCAPES = dict(pole=5, car=13, bus=15, bicycle=18)
_CLASSES: dict[str, dict[str, int]] = dict(
    cityscapes=_CITYSCAPES,
    kitti_step=_CITYSCAPES,
    # Ids in the PNGs, where 0 is ignored: `reduce_zero_label`.
    ade20k=dict(
        aeroplane=91, bicycle=128, boat=77, bottle=99, bus=81, car=21,
        chair=20, diningtable=16, pole=94),
    pascal_context=dict(
        background=0, aeroplane=1, bicycle=6, bird=7, boat=8, bottle=10,
        bus=12, car=14, cat=15, chair=17, cow=20, diningtable=50, dog=23))

# Name of a scene, and the paths of its files by field, the image's last. Where
# several are named, in one string, all are written.
_FILES: dict[str, tuple[str, dict[str, str]]] = dict(
    imagenet=('{split}/{category}/{category}_{number:08d}',
              dict(semantic='maps/semantic/{stem}.png', image='{stem}.JPEG')),
    voc=('{split}_{number:08d}',
         dict(
             semantic='SegmentationClassAug/{stem}.png '
             'SegmentationClass/{stem}.png',
             objects='SegmentationObject/{stem}.png',
             parts='SegmentationPart/{stem}.png',
             image='JPEGImages/{stem}.jpg')),
    # Real names have a city, a sequence and a frame.
    cityscapes=('{split}/scenes/scenes_{number:06d}_000019',
                dict(
                    semantic='gtFine/{stem}_gtFine_labelTrainIds.png',
                    image='leftImg8bit/{stem}_leftImg8bit.png')),
    kitti_step=('{frame}',
                dict(
                    panoptic='panoptic_maps/{stem}.png',
                    image='images/{stem}.png')),
    ade20k=('{folder}/ADE_{split}_{number:08d}',
            dict(
                semantic='annotations/{stem}.png', image='images/{stem}.jpg')),
    pascal_context=('{split}_{number:08d}',
                    dict(
                        semantic='SegmentationClassContext/{stem}.png',
                        image='JPEGImages/{stem}.jpg')),
    part_imagenet=('{split}/{folder}/{name}',
                   dict(image='images/{stem}.JPEG')))
# The real datasets do not have these files.
_MAPS = dict(objects='maps/object/{stem}.png', parts='maps/part/{stem}.png')
LAYOUTS = tuple(_FILES)


def semantic_ids(layout: str) -> np.ndarray:
    """Ids of background, categories and pole in a layout, (14,) uint8.

    Example:
        >>> semantic_ids('cityscapes').tolist()
        [0, 1, 18, 2, 3, 4, 15, 13, 6, 7, 8, 9, 10, 5]
    """
    names = class_names(num_poles=1)
    known = _CLASSES.get(layout, {})
    first = 1 if layout == 'ade20k' else 0
    free = (i for i in range(first, 256) if i not in known.values())
    return np.array([
        known[name] if name in known else next(free) for name in names
    ], dtype=np.uint8)


def scene_paths(layout: str, split: str, number: int,
                options: SceneOptions) -> dict[str, tuple[str, ...]]:
    """Paths of a scene's files, relative to the root, per field of ``Scene``.

    The image is the last; 'panoptic' replaces 'semantic' in KITTI-STEP.

    Example:
        >>> scene_paths('imagenet', 'val', 3, SceneOptions())['image']
        ('val/boat/boat_00000003.JPEG',)
    """
    categories = options.categories
    category = categories[scene_index(split, number) % len(categories)]
    words = dict(split=split, number=number, category=category)
    if layout == 'kitti_step':
        # The sequences take turns.
        sequences = SEQUENCES[split]
        frame, i = divmod(number, len(sequences))
        words['frame'] = f'{split}/{sequences[i]:04d}/{frame:06d}'
    elif layout == 'ade20k':
        # Files count from 1.
        words.update(
            number=number + 1,
            folder=dict(train='training', val='validation')[split])
    elif layout == 'part_imagenet':
        words['name'] = name = image_name(category, number)
        words['folder'] = name[:9]
    name, files = _FILES[layout]
    stem = name.format(**words)
    paths = {
        field: tuple(targets.format(stem=stem).split())
        for field, targets in {**_MAPS, **files}.items()
    }
    if layout == 'voc' and split == 'train' and voc_image_set(
            number, len(categories)) == 'aug':
        paths['semantic'] = paths['semantic'][:1]
    return paths


def voc_image_set(number: int, num_categories: int) -> str:
    """Training list of VOC that a training scene belongs to.

    Every other round of the categories is in 'train', the rest in 'aug', as
    SBD's images are: both are balanced, also when the dataset grows.
    """
    return ('train', 'aug')[number // num_categories % 2]
