import pytest

from mmhierseg.datasets.kitti_step_split import (
    SEQUENCES,
    check_sequences,
    missing_sequences,
)


def test_every_sequence_is_in_one_split():
    """KITTI's tracking benchmark has 21 training sequences."""
    assert sorted(SEQUENCES['train'] + SEQUENCES['val']) == list(range(21))


@pytest.mark.parametrize('folder, message', [
    ('0001', "sequence 0001, which belongs to 'train'"),
    ('0021', 'sequence 0021, which KITTI-STEP does not have'),
    ('city', "'city' where folders of sequences are expected"),
    ('', "'files' where folders of sequences are expected"),
])
def test_folders_that_do_not_belong(folder, message):
    with pytest.raises(ValueError, match=message):
        check_sequences(['0002', folder], 'val', 'images/val')


@pytest.mark.parametrize('split', SEQUENCES)
def test_whole_split(split):
    folders = [f'{i:04d}' for i in SEQUENCES[split]]
    check_sequences(folders, split, 'images')
    assert missing_sequences(folders, split) == ()
    assert missing_sequences(folders[1:], split) == (folders[0], )
