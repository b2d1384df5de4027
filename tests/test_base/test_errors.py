import pytest
import torch
from torch.utils.data import DataLoader

from mmhierseg._base.errors import UserError, run_command
from mmhierseg.cli.machine import in_words
from mmhierseg.ops import knn_retrieve

KEEP = 'MMHIERSEG_TRACEBACK'


@pytest.fixture(autouse=True)
def command(monkeypatch):
    monkeypatch.setattr('sys.argv', ['tools/train.py'])
    monkeypatch.delenv(KEEP, raising=False)


def refused():
    """The package raises a ValueError: more neighbours than entries."""
    knn_retrieve(
        torch.eye(2), torch.eye(2), torch.tensor([0, 1]), 3, num_classes=2)


class Refusing(torch.utils.data.Dataset):

    def __len__(self):
        return 1

    def __getitem__(self, index):
        refused()


class Defective(Refusing):

    def __getitem__(self, index):
        raise ValueError('a defect')


def test_message_instead_of_traceback(capsys):

    def main():
        raise UserError('no data')

    assert run_command(main) == 1
    assert capsys.readouterr().err == 'train.py: error: no data\n'


@pytest.mark.parametrize('workers', [0, 1])
def test_what_the_package_refuses(workers, capsys):
    with pytest.raises(ValueError) as caught:
        refused()

    def main():
        list(DataLoader(Refusing(), num_workers=workers))

    assert run_command(main) == 1
    # The whole message, and nothing of the worker's traceback.
    assert capsys.readouterr().err == (
        f'train.py: error: {caught.value}\n'
        f'({KEEP}=1 shows where this was found.)\n')


def test_traceback_on_demand(monkeypatch):
    monkeypatch.setenv(KEEP, '1')
    with pytest.raises(ValueError):
        run_command(refused)


@pytest.mark.parametrize('workers', [0, 1])
def test_other_errors_keep_their_traceback(workers):
    with pytest.raises(ValueError, match='a defect'):
        run_command(lambda: list(DataLoader(Defective(), num_workers=workers)))


def test_what_fails_inside_the_package_keeps_its_traceback():
    """It has not been refused: nobody has written a message for it."""
    with pytest.raises(TypeError):
        run_command(lambda: in_words(None))
