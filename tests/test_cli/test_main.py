"""The command ``mmhierseg``."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from helpers.demo import picture
from PIL import Image

from mmhierseg.cli.main import main


@pytest.fixture
def images(tmp_path, monkeypatch):
    """A folder with an image, and one in a folder of it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'images/more').mkdir(parents=True)
    for i, name in enumerate(('cat.png', 'more/dog.jpg')):
        Image.fromarray(picture(40, 70, seed=i)).save(f'images/{name}')
    return tmp_path


def test_segment(images, capsys):
    words = ['segment', 'images', '--out', 'out', '--device', 'cpu']
    assert main([*words, '--save-labels', 'npz']) == 0
    assert 'cat: ' in capsys.readouterr().out
    assert Image.open('out/cat_hierarchy.png').width > 5 * 320
    assert np.load('out/cat_levels.npz')['level_0'].shape == (40, 70)
    assert not list(images.glob('out/**/*dog*'))
    assert main(words) == 1
    assert '--overwrite' in capsys.readouterr().err
    assert main([*words, '--overwrite', '--recursive']) == 0
    assert (images / 'out/more/dog_hierarchy.png').is_file()


@pytest.mark.parametrize('words, message', [
    (['images/none.png'], 'none.png'),
    (['images', '--model', 'cast-xxl'], 'cast-xxl'),
])
def test_segment_explains_mistakes(images, capsys, words, message):
    assert main(['segment', *words]) == 1
    assert message in capsys.readouterr().err
    assert not (images / 'outputs').exists()


def test_list_models(capsys):
    assert main(['list-models', 'cast-t_*']) == 0
    assert 'cast-t_imagenette' in capsys.readouterr().out.split()


@pytest.mark.parametrize('name, kind', [
    ('cast_moco.pth.tar', 'moco'), ('cast_deit.pth', 'deit'),
    ('hsg_coco.pth', 'hsg')])
def test_convert_tells_the_kind(name, kind, tmp_path, capsys, request):
    data = request.config.rootpath / 'tests/data'
    target = tmp_path / 'converted.pth'
    assert main(['convert', str(data / name), str(target)]) == 0
    assert f'kind: {kind}' in capsys.readouterr().out
    assert torch.load(target, weights_only=True)['state_dict']


@pytest.mark.parametrize('name', ['train', 'test'])
def test_help(name, capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['mmhierseg'])
    with pytest.raises(SystemExit, match='0'):
        main([name, '--help'])
    assert f'usage: mmhierseg {name}' in capsys.readouterr().out


def test_missing_mmengine_is_named(tmp_path):
    program = ('import sys; sys.modules["mmengine"] = None; '
               'from mmhierseg.cli.main import main; '
               'sys.exit(main(["train", "config.py"]))')
    result = subprocess.run([sys.executable, '-c', program],
                            capture_output=True,
                            text=True)
    assert result.returncode == 1
    assert 'mmhierseg[onedl]' in result.stderr
    assert 'Traceback' not in result.stderr
