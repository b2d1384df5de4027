import errno
import os
from functools import partial

import pytest
from torch.utils.data import DataLoader, Dataset

from mmhierseg._base import UserError
from mmhierseg._base.errors import run_command

MESSAGE = "'a.png' cannot be read:\nreplace it"


@pytest.fixture(autouse=True)
def command(monkeypatch):
    monkeypatch.setattr('sys.argv', ['tools/train.py'])
    monkeypatch.delenv('MMHIERSEG_TRACEBACK', raising=False)


class Failing(Dataset):

    def __init__(self, error):
        self.error = error

    def __len__(self):
        return 1

    def __getitem__(self, index):
        try:
            raise OSError('a cause')
        except OSError as error:
            raise self.error from error


def load(error, workers):
    return lambda: list(DataLoader(Failing(error), num_workers=workers))


@pytest.mark.parametrize('workers', [0, 1])
def test_message_instead_of_traceback(workers, capsys):
    assert run_command(load(UserError(MESSAGE), workers)) == 1
    assert capsys.readouterr().err == f'train.py: error: {MESSAGE}\n'


def test_traceback_of_defects_and_on_demand(monkeypatch):
    with pytest.raises(ValueError, match='a defect'):
        run_command(load(ValueError('a defect'), 1))
    monkeypatch.setenv('MMHIERSEG_TRACEBACK', '1')
    with pytest.raises(UserError, match='replace it'):
        run_command(load(UserError(MESSAGE), 0))


def test_files_that_cannot_be_written(capsys):

    def write(code):
        raise OSError(code, os.strerror(code), 'a.pth')

    assert run_command(partial(write, errno.EROFS)) == 1
    assert "Read-only file system: 'a.pth'" in capsys.readouterr().err
    with pytest.raises(FileNotFoundError):
        run_command(partial(write, errno.ENOENT))
