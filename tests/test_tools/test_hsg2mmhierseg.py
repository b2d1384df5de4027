import subprocess
import sys

import pytest
import torch
from helpers.cast import DATA
from helpers.hsg import with_resnet
from helpers.scripts import TOOLS, load_script

from mmhierseg._base.errors import run_command
from mmhierseg._base.safe_load import load_plain_checkpoint
from mmhierseg.models import HSGHead

NAME = 'model_converters/hsg2mmhierseg.py'


def convert(*arguments):
    """Run the tool as a program."""
    return subprocess.run(
        [sys.executable, str(TOOLS / NAME), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300)


@pytest.fixture
def refuse(monkeypatch, capsys):
    """Run the tool in this process; what it says to what it cannot do."""

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', [NAME, *map(str, arguments)])
        assert run_command(load_script(NAME).main) == 1
        return capsys.readouterr().err

    return run


def test_whole_model(tmp_path):
    checkpoint, _ = with_resnet(
        load_plain_checkpoint(DATA / 'hsg_coco.pth'), 50, 'detectron2')
    checkpoint['prediction_model'] = {'classifier.weight': torch.zeros(2)}
    torch.save(checkpoint, tmp_path / 'src.pth')
    dst = tmp_path / 'new' / 'dst.pth'
    result = convert(tmp_path / 'src.pth', dst)
    assert result.returncode == 0, result.stderr
    written = torch.load(dst, weights_only=True)
    assert written['meta']['source_kind'] == 'hsg'
    assert written['meta']['head']['fine_clusters'] == 4
    head = HSGHead(**written['meta']['head'])
    head.load_state_dict({
        key[len('head.'):]: value
        for key, value in written['state_dict'].items()
        if key.startswith('head.')
    })
    number = len(checkpoint['embedding_model'])
    assert len(written['state_dict']) == number
    assert {key.split('.')[0] for key in written['state_dict']
            } == {'backbone', 'neck', 'head'}
    assert f'kind: hsg; {number} tensors written' in result.stdout
    assert 'not converted (1):\n  prediction_model' in result.stdout
    assert "dict(type='mmhierseg.HSGHead', " in result.stdout
    assert [path.name for path in dst.parent.iterdir()] == ['dst.pth']


@pytest.mark.parametrize('name, message', [
    ('nothing.pth', "nothing.pth' does not exist"),
    ('hsg_coco.npz', 'hsg_coco.npz'),
    ('cast_deit.pth', 'not a checkpoint of the authors of HSG'),
])
def test_bad_input_is_one_line(name, message, tmp_path, refuse):
    assert message in refuse(DATA / name, tmp_path / 'out.pth')
    assert not list(tmp_path.iterdir())


def test_nothing_is_executed(tmp_path, refuse):
    torch.save(dict(embedding_model=subprocess.Popen), tmp_path / 'src.pth')
    message = refuse(tmp_path / 'src.pth', tmp_path / 'dst.pth')
    assert 'was not read' in message
    assert not (tmp_path / 'dst.pth').exists()


def test_a_folder_is_no_destination(tmp_path, refuse):
    assert 'cannot write' in refuse(DATA / 'hsg_coco.pth', tmp_path)
    assert not list(tmp_path.iterdir())
    assert not list(tmp_path.parent.glob('*.part'))
