import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.demo import CAST_RETRIEVAL, hsg_config, save_weights
from mmengine.config import Config
from PIL import Image

from mmhierseg._base.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / 'demo/retrieve_demo.py'


@pytest.fixture(scope='module')
def demo():
    spec = importlib.util.spec_from_file_location('retrieve_demo', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def models(tmp_path_factory):
    """Folder with config and checkpoint of each kind of model."""
    root = tmp_path_factory.mktemp('models')
    configs = dict(
        hsg=hsg_config(),
        cast=Config(
            dict(model=CAST_RETRIEVAL,
                 hierarchy_inferencer=dict(img_size=64))))
    for name, cfg in configs.items():
        cfg.dump(str(root / f'{name}.py'))
        save_weights(cfg.model, root / f'{name}.pth')
    return root


@pytest.fixture
def files(tmp_path):
    """An image and a folder of two others; no folder `out` yet."""
    rng = np.random.default_rng(0)
    (tmp_path / 'others').mkdir()
    for name in ('dog.jpg', 'others/cat.png', 'others/bird.png'):
        coarse = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((70, 40)).save(tmp_path / name)
    return tmp_path


def _arguments(files, models, *more, kind='hsg', bank=None, point=(30, 20)):
    return [
        str(word) for word in (
            files / 'dog.jpg', '--point', *point, '--config',
            models / f'{kind}.py', '--checkpoint', models / f'{kind}.pth',
            '--out', files / 'out', '--device', 'cpu', '--num-neighbors', 3,
            *more, '--bank', bank or files / 'others')
    ]


@pytest.mark.parametrize('kind, level', [
    ('hsg', 0), ('hsg', 1), ('cast', 0), ('cast', 2)
])
def test_writes_a_figure_and_says_what_was_found(demo, files, models, capsys,
                                                kind, level):
    demo.main(_arguments(files, models, '--level', level, '--panel-size', 64,
                         kind=kind))
    figure, = (files / 'out').iterdir()
    assert figure.name == f'dog_30_20_level{level}.png'
    assert Image.open(figure).width > 4 * 64
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1] == f'  {figure}'
    found = [line.split('  ') for line in printed[-4:-1]]
    cosines = [float(cosine) for cosine, _ in found]
    assert cosines == sorted(cosines, reverse=True)
    assert all(Path(path).parent == files / 'others' for _, path in found)
    assert any('segments of 2 images' in line for line in printed)


def test_bank_is_kept_and_read(demo, files, models, capsys):
    bank = files / 'bank.pth'
    demo.main(_arguments(files, models, '--save-bank', bank))
    first = capsys.readouterr().out
    assert str(bank) in first
    demo.main(_arguments(files, models, bank=bank))
    second = capsys.readouterr().out
    assert first.splitlines()[-4:] == second.splitlines()[-4:]


@pytest.mark.parametrize('options, message', [
    (dict(point=(70, 0)), 'inside .*dog.jpg., which has 70 x 40 pixels, '
     'numbered from 0: got 70 0'),
    (dict(point=(3, -1)), 'got 3 -1'),
    (dict(more=['--level', '7']), '`level` is 7, but the hierarchy has 3'),
    (dict(bank='nowhere'), "'nowhere' does not exist"),
    (dict(bank='nowhere.pth'), "'nowhere.pth' does not exist"),
    (dict(more=['--num-neighbors', '50']), '`num_neighbors` is 50, but the'),
    (dict(more=['--num-neighbors', '0']), '`num_neighbors` must be at least'),
    (dict(more=['--checkpoint', 'no.pth']), "'no.pth' does not exist"),
    (dict(more=['--config', 'cast-t_photos']), "RetrievalSegmentor', got"),
    (dict(more=['--segment-size', '9']), '`segment_size` .* takes none'),
    (dict(more=['--panel-size', '3']), '`panel_size` must be at least 16'),
    (dict(more=['--device', 'foo']), "`device` must be one of .*got 'foo'"),
])
def test_mistakes_are_explained(demo, files, models, options, message):
    more = options.pop('more', [])
    with pytest.raises(UserError, match=message):
        demo.main(_arguments(files, models, *more, **options))
    assert not (files / 'out').exists()


def test_other_mistakes(demo, files, models):
    arguments = _arguments(files, models)
    with pytest.raises(UserError, match="'no.jpg' does not exist"):
        demo.main(['no.jpg', *arguments[1:]])
    (files / 'empty').mkdir()
    with pytest.raises(UserError, match="empty' holds no images"):
        demo.main(_arguments(files, models, bank=files / 'empty'))
    (files / 'others/damaged.png').write_bytes(b'no image')
    with pytest.raises(UserError, match='damaged.png. cannot be read'):
        demo.main(arguments)
    (files / 'others/damaged.png').unlink()
    (files / 'out').write_text('a file')
    with pytest.raises(UserError, match='`out_dir` .*cannot be written'):
        demo.main(arguments)
    with pytest.raises(UserError, match='is no checkpoint'):
        demo.main(_arguments(files, models, bank=_text(files / 'bank.pth')))


def _text(path):
    path.write_text('no bank')
    return path


@pytest.mark.parametrize('words, message', [
    (['--point', '1'], 'expected 2 arguments'),
    (['--point', '1', 'x'], "invalid int value: 'x'"),
    (['--point', '1', '2', '--bank', '.', '--img-size', 'big'],
     "--img-size must be like 384, .* got 'big'"),
    (['--point', '1', '2'], 'required: --bank'),
])
def test_bad_command_lines(demo, capsys, words, message):
    with pytest.raises(SystemExit):
        demo.parse_args(['a.png', *words])
    text = capsys.readouterr().err
    assert re.search(message, text)


def test_runs_as_a_program_from_anywhere(files):
    """The default config, without a checkpoint: a note, and a figure."""
    words = ['dog.jpg', '--point', '3', '4', '--bank', 'others']
    result = subprocess.run(
        [sys.executable, SCRIPT, *words],
        cwd=files, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert 'Note: no `weights` were given' in result.stdout
    assert (files / 'outputs/retrieval/dog_3_4_level0.png').is_file()
