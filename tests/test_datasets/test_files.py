import pytest

from mmhierseg._base.errors import UserError
from mmhierseg.datasets.files import check_pairs
from mmhierseg.datasets.kitti_step_split import (
    SEQUENCES,
    check_sequences,
    missing_sequences,
)


def check(chosen, images, maps, **options):
    check_pairs(chosen, images, maps, 'images', 'maps', **options)


def test_pairs():
    check(['a', 'b'], ['b', 'a'], ['a', 'b'])
    # A list may leave some out.
    check(['a'], ['a', 'b'], ['a', 'b'])
    check(['a'], ['a'], ['a', 'b'], check_others=False)
    for chosen, images, maps, error, message in (
        ([], ['a'], ['a'], UserError, "there is no image in 'images'"),
        (['c'], ['a'], ['a'], FileNotFoundError, 'c of the list of images'),
        (['a', 'b'], ['a', 'b'], [], FileNotFoundError,
         '2 of 2 images have no label map: a, b'),
        (['a'], ['a'], ['a', 'c', 'b'], FileNotFoundError,
         '2 of 3 label maps have no image: b, c .*or remove the map'),
    ):
        with pytest.raises(error, match=message) as caught:
            check(chosen, images, maps)
        assert isinstance(caught.value, UserError)


def test_sequences_of_kitti_step():
    """KITTI's tracking benchmark has 21 training sequences."""
    assert sorted(SEQUENCES['train'] + SEQUENCES['val']) == list(range(21))
    for split, numbers in SEQUENCES.items():
        folders = [f'{i:04d}' for i in numbers]
        check_sequences(folders, split, 'images')
        assert missing_sequences(folders, split) == ()
        assert missing_sequences(folders[1:], split) == (folders[0], )
    for folder, message in (
        ('0001', "sequence 0001, which belongs to 'train'"),
        ('0021', 'sequence 0021, which KITTI-STEP does not have'),
        ('city', "'city' where folders of sequences are expected"),
        ('', "'files' where folders of sequences are expected"),
    ):
        with pytest.raises(UserError, match=message):
            check_sequences(['0002', folder], 'val', 'images/val')
