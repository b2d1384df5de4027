"""Training and validation split of KITTI-STEP, by sequence."""

from collections.abc import Sequence

from mmhierseg._base.errors import UserError

#: Of the 21 training sequences of KITTI's tracking benchmark.
SEQUENCES: dict[str, tuple[int, ...]] = dict(
    train=(0, 1, 3, 4, 5, 9, 11, 12, 15, 17, 19, 20),
    val=(2, 6, 7, 8, 10, 13, 14, 16, 18))


def check_sequences(folders: Sequence[str], split: str, where: str) -> None:
    """Check that folders are sequences of a split, 'train' or 'val'."""
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
