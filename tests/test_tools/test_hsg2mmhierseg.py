import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.cast import DATA
from helpers.hsg import with_resnet

from mmhierseg.utils.safe_load import load_plain_checkpoint

SCRIPT = Path(__file__).parents[2] / 'tools/model_converters/hsg2mmhierseg.py'


def convert(*arguments):
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300)


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
def test_bad_input_is_one_line(name, message, tmp_path):
    result = convert(DATA / name, tmp_path / 'out.pth')
    assert result.returncode == 1
    assert message in result.stderr and 'Traceback' not in result.stderr
    assert not list(tmp_path.iterdir())


def test_nothing_is_executed(tmp_path):
    torch.save(dict(embedding_model=subprocess.Popen), tmp_path / 'src.pth')
    result = convert(tmp_path / 'src.pth', tmp_path / 'dst.pth')
    assert result.returncode == 1 and 'was not read' in result.stderr
    assert not (tmp_path / 'dst.pth').exists()


def test_a_folder_is_no_destination(tmp_path):
    result = convert(DATA / 'hsg_coco.pth', tmp_path)
    assert result.returncode == 1 and 'cannot write' in result.stderr
    assert not list(tmp_path.iterdir())
