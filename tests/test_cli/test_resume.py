"""Which checkpoint training continues from."""

import os
import re
import shutil

import pytest
import torch
from helpers.disk import contents

from mmhierseg._base.errors import UserError
from mmhierseg.cli import resume
from mmhierseg.cli.resume import (
    check_agreement,
    find_latest,
    read_resumable,
)


def save(path, epoch, iteration):
    torch.save(
        dict(
            state_dict=dict(w=torch.full((5000, ), 7.)),
            meta=dict(epoch=epoch, iter=iteration),
            message_hub={},
            optimizer={}), path)


@pytest.fixture
def run(tmp_path):
    """Folder of a run of three epochs of ten iterations."""
    folder = tmp_path / 'run'
    folder.mkdir()
    for i in (1, 2, 3):
        save(folder / f'epoch_{i}.pth', i, 10 * i)
    point_to(folder, 'epoch_3.pth')
    return folder


def point_to(folder, name):
    (folder / 'last_checkpoint').write_text(str(folder / name))


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def garbage(path):
    path.write_bytes(os.urandom(3000))


def zeros_inside(path):
    """What a power failure leaves; PyTorch reads it."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle:middle + 512] = bytes(512)
    path.write_bytes(content)
    assert (torch.load(path)['state_dict']['w'] == 0).any()


def weights_only(path):
    torch.save(dict(state_dict={}), path)


@pytest.mark.parametrize(
    'damage', [truncate, garbage, zeros_inside, weights_only])
def test_damaged_checkpoint_is_skipped(damage, run):
    damage(run / 'epoch_3.pth')
    latest = find_latest(str(run))
    assert latest.path == str(run / 'epoch_2.pth')
    assert latest.checkpoint['meta']['epoch'] == 2
    assert re.search(
        r"the latest checkpoint cannot be used: '.*epoch_3\.pth' .*continues "
        r"from '.*epoch_2\.pth', epoch 2, iteration 20$", latest.note)
    with pytest.raises(UserError, match=r'epoch_3\.pth'):
        read_resumable(str(run / 'epoch_3.pth'))


def test_several_damaged_ones(run):
    for path in run.glob('*.pth'):
        truncate(path)
    before = contents(run)
    with pytest.raises(UserError, match=r'epoch_3\.pth.*epoch_2\.pth.*'
                       r'epoch_1\.pth.*Nothing was changed'):
        find_latest(str(run))
    assert before == contents(run)
    save(run / 'epoch_1.pth', 1, 10)
    assert find_latest(str(run)).path == str(run / 'epoch_1.pth')


def test_later_ones_are_of_another_run(run):
    point_to(run, 'epoch_1.pth')
    truncate(run / 'epoch_1.pth')
    with pytest.raises(UserError, match='no checkpoint to continue from'):
        find_latest(str(run))
    save(run / 'kept_epoch_1.pth', 1, 10)
    assert find_latest(str(run)).path == str(run / 'kept_epoch_1.pth')


@pytest.mark.parametrize('text', ['', 'gone/epoch_4.pth', '\udc80\0'])
def test_last_checkpoint_names_none(text, run):
    (run / 'last_checkpoint').write_text(text, errors='surrogateescape')
    latest = find_latest(str(run))
    assert latest.path == str(run / 'epoch_3.pth')
    assert 'which does not exist' in latest.note
    for path in run.glob('*.pth'):
        path.unlink()
    with pytest.raises(UserError, match='does not exist'):
        find_latest(str(run))


def test_run_that_has_not_begun(tmp_path):
    assert find_latest(str(tmp_path / 'none')) is None
    (tmp_path / 'best_acc_epoch_3.pth').touch()
    (tmp_path / 'epoch_4.pth.part').touch()
    assert find_latest(str(tmp_path)) is None


def test_folder_that_was_moved(run, tmp_path):
    """The latest is the one that is named, not the one with most epochs."""
    shutil.move(run, tmp_path / 'moved')
    save(tmp_path / 'moved/epoch_4.pth', 4, 40)
    latest = find_latest(str(tmp_path / 'moved'))
    assert latest.path == str(tmp_path / 'moved/epoch_3.pth')
    assert latest.note is None


def test_order_is_that_of_numbers_and_iterations(run):
    (run / 'last_checkpoint').unlink()
    for name, epoch, number in (('epoch_10', 10, 100), ('iter_95', 9, 95),
                                ('iter_105', 10, 105)):
        save(run / f'{name}.pth', epoch, number)
        latest = find_latest(str(run))
        expected = 'epoch_10' if name == 'iter_95' else name
        assert latest.path == str(run / f'{expected}.pth')
        assert 'has no file last_checkpoint.' in latest.note


def test_folders_and_remote_files_are_left_to_mmengine(run):
    (run / 'last_checkpoint').write_text('s3://bucket/epoch_5.pth')
    assert find_latest(str(run)) == ('s3://bucket/epoch_5.pth', None, None)
    (run / 'sharded.pth').mkdir()
    point_to(run, 'sharded.pth')
    assert find_latest(str(run)) == (str(run / 'sharded.pth'), None, None)


def test_processes_must_agree(monkeypatch):
    """In two processes: `tests/test_tools/test_dist.py`."""
    check_agreement('a')
    monkeypatch.setattr(resume, 'all_gather_object', lambda x: ['a', 'b'])
    with pytest.raises(UserError, match=r"different .*\['a', 'b'\]"):
        check_agreement('a')
