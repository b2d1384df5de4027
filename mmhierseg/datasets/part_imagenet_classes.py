"""The objects of PartImageNet and the parts that they consist of.

He et al., "PartImageNet: A Large, High-Quality Dataset of Parts", ECCV 2022
(arXiv 2112.00933). Ids of label maps: 0 is the background; parts count from 1
through all objects in their order, objects from 1.
"""

import numpy as np

from mmhierseg._base.errors import UserError

#: What a label map may hold.
LABELS = ('part', 'object')

#: 'Tier' is the spelling of the dataset.
PARTS_OF: dict[str, tuple[str, ...]] = {
    'Quadruped': ('Head', 'Body', 'Foot', 'Tail'),
    'Biped': ('Head', 'Body', 'Hand', 'Foot', 'Tail'),
    'Fish': ('Head', 'Body', 'Fin', 'Tail'),
    'Bird': ('Head', 'Body', 'Wing', 'Foot', 'Tail'),
    'Snake': ('Head', 'Body'),
    'Reptile': ('Head', 'Body', 'Foot', 'Tail'),
    'Car': ('Body', 'Tier', 'Side Mirror'),
    'Bicycle': ('Body', 'Head', 'Seat', 'Tier'),
    'Boat': ('Body', 'Sail'),
    'Aeroplane': ('Head', 'Body', 'Engine', 'Wing', 'Tail'),
    'Bottle': ('Mouth', 'Body'),
}
OBJECTS: tuple[str, ...] = tuple(PARTS_OF)
PARTS: tuple[str, ...] = tuple(f'{name} {part}'
                               for name, parts in PARTS_OF.items()
                               for part in parts)
#: Object id of each part id, the background's first.
OBJECT_OF_PART = np.array(
    [0] + [i for i, name in enumerate(OBJECTS, 1) for _ in PARTS_OF[name]],
    dtype=np.uint8)


def class_names(labels: str) -> tuple[str, ...]:
    """Names of the classes of a label map, background first."""
    if labels not in LABELS:
        raise UserError(f"`labels` must be 'part' or 'object', got {labels!r}")
    return ('background', *(PARTS if labels == 'part' else OBJECTS))


def part_id(name: str, supercategory: str) -> int:
    """Id of a part, 1 to 40, by its names in an annotation file.

    Capitals, blanks, hyphens, underscores and a leading object do not matter.
    """
    found = _IDS.get(_plain(name)) or _IDS.get(
        _plain(supercategory) + _plain(name))
    if found is None:
        raise UserError(
            f'PartImageNet has no part {name!r} of {supercategory!r}; its '
            f'parts are {", ".join(PARTS)}')
    if _plain(OBJECTS[OBJECT_OF_PART[found] - 1]) != _plain(supercategory):
        raise UserError(f'{name!r} is no part of {supercategory!r}')
    return found


def _plain(name: str) -> str:
    """Normalise the spelling of a name."""
    return ''.join(c for c in name.lower() if c.isalnum()).replace(
        'tire', 'tier')


_IDS = {_plain(name): i for i, name in enumerate(PARTS, 1)}
