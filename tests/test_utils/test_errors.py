import pytest

from mmhierseg.utils.errors import CommandError, run_command


def test_message_instead_of_traceback(capsys, monkeypatch):
    monkeypatch.setattr('sys.argv', ['tools/train.py'])

    def main():
        raise CommandError('no data')

    assert run_command(main) == 1
    assert capsys.readouterr().err == 'train.py: error: no data\n'


def test_other_errors_keep_their_traceback():

    def main():
        raise ValueError('a defect')

    with pytest.raises(ValueError, match='a defect'):
        run_command(main)
