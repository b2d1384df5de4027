import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmhierseg._base.errors import UserError

from .helpers.cast import TINY, tiny_cast

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope='module')
def demo():
    spec = importlib.util.spec_from_file_location(
        'hierarchy_demo', ROOT / 'demo/hierarchy_demo.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def files(tmp_path):
    """Config, checkpoint and a folder of two images; the output folder."""
    backbone = dict(type='mmhierseg.CAST', **TINY)
    (tmp_path / 'config.py').write_text(
        f'model = dict(type="MoCoV3", backbone={backbone!r})')
    weights = {f'backbone.{k}': v for k, v in tiny_cast().state_dict().items()}
    torch.save(dict(state_dict=weights), tmp_path / 'moco.pth')
    (tmp_path / 'images').mkdir()
    rng = np.random.default_rng(0)
    for name in ('dog.jpg', 'cat.png'):
        noise = rng.integers(0, 256, (40, 70, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / 'images' / name)
    return tmp_path


def _arguments(files, *more):
    return [
        str(word) for word in (files / 'images', '--config', files /
                               'config.py', '--checkpoint', files / 'moco.pth',
                               '--out', files / 'out', '--device', 'cpu',
                               *more)
    ]


def test_writes_a_figure_per_image_and_says_where(demo, files, capsys):
    demo.main(_arguments(files))
    figures = sorted((files / 'out').iterdir())
    assert [path.name for path in figures
            ] == ['cat_hierarchy.png', 'dog_hierarchy.png']
    printed = capsys.readouterr().out
    for path in figures:
        assert str(path) in printed
        assert Image.open(path).width > 6 * 320  # image and five levels
    assert 'cat: ' in printed and 'segments' in printed


def test_options_reach_the_inferencer(demo, files, capsys):
    demo.main(
        _arguments(files, '--img-size', '64x128', '--segment-size', 8,
                   '--save-labels', 'npz', '--batch-size', 2, '--panel-size',
                   64))
    levels = np.load(files / 'out' / 'cat_levels.npz')
    # 64 * 128 / 8 ** 2 superpixels were asked for.
    assert 100 < np.unique(levels['level_0']).size < 160
    assert levels['level_4'].shape == (40, 70)
    assert Image.open(files / 'out' / 'cat_hierarchy.png').width < 6 * 200


def test_runs_as_a_program_from_anywhere(files):
    """The default config, without a checkpoint: a note, and a figure."""
    result = subprocess.run(
        [sys.executable, ROOT / 'demo/hierarchy_demo.py', 'images/cat.png'],
        cwd=files,
        capture_output=True,
        text=True)
    assert result.returncode == 0, result.stderr
    assert 'Note: no `weights` were given' in result.stdout
    assert (files / 'outputs/hierarchy/cat_hierarchy.png').is_file()


@pytest.mark.parametrize('change, message', [
    (['no.jpg'], "image 'no.jpg' does not exist"),
    (['--config', 'no.py'], "config 'no.py' does not exist"),
    (['--config', 'cast-xxl'], "neither a config file nor a model 'cast-xxl'"),
    (['--checkpoint', 'no.pth'], "'no.pth' does not exist"),
    (['--device', 'foo'], "`device` must be one of .*got 'foo'"),
    (['--device', 'cuda:99'], "`device` must be one of .*got 'cuda:99'"),
    (['--segment-size', '0.5'], '`segment_size` must be at least 1, got 0.5'),
    (['--img-size', '3'], '`img_size` must be None'),
    (['--batch-size', '0'], '`batch_size` must be at least 1'),
])
def test_mistakes_are_explained(demo, files, change, message):
    arguments = _arguments(files)
    # Positional words first, options last: the last of two counts.
    arguments = change + arguments if len(change) == 1 else arguments + change
    with pytest.raises(UserError, match=message):
        demo.main(arguments)
    assert not (files / 'out').exists()


def test_config_that_is_none(demo, files):
    (files / 'text.txt').write_text('hello')
    with pytest.raises(UserError, match="text.txt' cannot be read"):
        demo.main(_arguments(files, '--config', files / 'text.txt'))


@pytest.mark.parametrize('out, message', [
    ('config.py', '`out_dir` must be a folder'),
    ('config.py/out', '`out_dir` .*config.py/out. cannot be written to'),
])
def test_folder_that_cannot_be_written(demo, files, out, message):
    with pytest.raises(UserError, match=message):
        demo.main(_arguments(files, '--out', files / out))


def test_unreadable_image_is_named(demo, files):
    path = files / 'images' / 'bird.jpg'
    path.write_bytes((files / 'images' / 'dog.jpg').read_bytes()[:700])
    with pytest.raises(UserError, match='bird.jpg.* cannot be read'):
        demo.main(_arguments(files))


def test_message_without_a_traceback(files):
    result = subprocess.run(
        [sys.executable, ROOT / 'demo/hierarchy_demo.py', 'no.jpg'],
        cwd=files,
        capture_output=True,
        text=True)
    assert result.returncode == 1
    assert result.stderr.strip().splitlines()[-1] == (
        "hierarchy_demo.py: error: image 'no.jpg' does not exist")
    assert 'Traceback' not in result.stderr


@pytest.mark.parametrize('size', ['big', '1x2x3', '2x', '', '64 64'])
def test_bad_size(demo, capsys, size):
    with pytest.raises(SystemExit):
        demo.parse_args(['a.png', '--img-size', size])
    assert f"like 224, 224x320 or 'original', got {size!r}" in (
        capsys.readouterr().err)


def test_help_names_the_defaults(demo, capsys):
    with pytest.raises(SystemExit):
        demo.parse_args(['--help'])
    assert 'outputs/hierarchy' in capsys.readouterr().out
