"""Training and validation split of KITTI-STEP, by sequence."""

import posixpath
from collections.abc import Sequence

from mmhierseg._base.errors import UserError

#: Of the 21 training sequences of KITTI's tracking benchmark.
SEQUENCES: dict[str, tuple[int, ...]] = dict(
    train=(0, 1, 3, 4, 5, 9, 11, 12, 15, 17, 19, 20),
    val=(2, 6, 7, 8, 10, 13, 14, 16, 18))


def check_sequences(folders: Sequence[str], split: str, where: str) -> None:
    """Check that folders are sequences of a split.

    Raises:
        UserError: If one is no sequence, or one of the other split.

    Example:
        >>> check_sequences(['0000', '0020'], 'train', 'images/train')
        >>> check_sequences(['0002'], 'train', 'images/train')
        Traceback (most recent call last):
        ...
        mmhierseg._base.errors.UserError: images/train holds sequence 0002, \
which belongs to 'val': the sequences of 'train' are 0 1 3 4 5 9 11 12 15 17 \
19 20
    """
    other = 'val' if split == 'train' else 'train'
    for folder in folders:
        if not (folder.isascii() and folder.isdigit()):
            raise UserError(
                f'{where} holds {folder or "files"!r} where folders of '
                "sequences are expected, such as '0002': frames lie in "
                'images/train/0000/000000.png')
        if int(folder) in SEQUENCES[split]:
            continue
        belongs = (f"belongs to '{other}'"
                   if int(folder) in SEQUENCES[other] else
                   'KITTI-STEP does not have')
        raise UserError(
            f'{where} holds sequence {folder}, which {belongs}: the '
            f"sequences of '{split}' are "
            f'{" ".join(map(str, SEQUENCES[split]))}')


def missing_sequences(folders: Sequence[str], split: str) -> tuple[str, ...]:
    """Sequences of a split that are not among some folders.

    Example:
        >>> missing_sequences(['0002', '0006', '0007', '0008', '0010'], 'val')
        ('0013', '0014', '0016', '0018')
    """
    present = {int(posixpath.basename(folder)) for folder in folders}
    return tuple(f'{i:04d}' for i in SEQUENCES[split] if i not in present)
