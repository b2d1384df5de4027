"""Demos: hierarchies of images, retrieval of similar segments, tutorial."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.cast import TINY, tiny_cast
from helpers.demo import picture, save_models
from helpers.scripts import TOOLS, load_script
from PIL import Image

from mmhierseg._base.errors import UserError

DEMO = TOOLS.parent / 'demo'


def run(name, words):
    load_script(DEMO / f'{name}_demo.py').main(words)


@pytest.fixture(scope='module')
def models(tmp_path_factory):
    """Folder with config and checkpoint of each kind of model."""
    root = tmp_path_factory.mktemp('models')
    for name, cfg in save_models(root).items():
        cfg.dump(str(root / f'{name}.py'))
    backbone = dict(type='mmhierseg.CAST', **TINY)
    (root / 'moco.py').write_text(
        f'model = dict(type="MoCoV3", backbone={backbone!r})')
    torch.save(tiny_cast().state_dict(prefix='backbone.'), root / 'moco.pth')
    return root


@pytest.fixture
def files(tmp_path):
    """Two images in a folder, and one beside it; no folder `out` yet."""
    (tmp_path / 'images').mkdir()
    for i, name in enumerate(('query.jpg', 'images/cat.png',
                              'images/dog.jpg')):
        Image.fromarray(picture(40, 70, seed=i)).save(tmp_path / name)
    return tmp_path


def options(files, models, kind, *more):
    return [
        str(word) for word in ('--config', models / f'{kind}.py',
                               '--checkpoint', models / f'{kind}.pth', '--out',
                               files / 'out', '--device', 'cpu', *more)
    ]


def query(files, models, *more, kind='hsg', bank='images', point=(30, 20)):
    """Command line of the retrieval."""
    return [
        str(files / 'query.jpg'), '--point', *map(str, point), '--bank',
        str(files / bank), *options(files, models, kind, '--num-neighbors',
                                    3, *more)
    ]


def test_writes_a_figure_per_image(files, models, capsys):
    run('hierarchy', [
        str(files / 'images'), *options(
            files, models, 'moco', '--img-size', '64x128', '--segment-size',
            8, '--save-labels', 'npz', '--batch-size', 2)
    ])
    printed = capsys.readouterr().out
    for name in ('cat', 'dog'):
        path = files / 'out' / f'{name}_hierarchy.png'
        assert str(path) in printed and f'{name}: ' in printed
        assert Image.open(path).width > 6 * 320  # image and five levels
    levels = np.load(files / 'out' / 'cat_levels.npz')
    # 64 * 128 / 8 ** 2 superpixels were asked for.
    assert 100 < np.unique(levels['level_0']).size < 160
    assert levels['level_4'].shape == (40, 70)


@pytest.mark.parametrize('kind', ['hsg', 'cast'])
def test_writes_a_figure_of_what_was_found(files, models, capsys, kind):
    """The same with the bank of the first run."""
    words = ('--level', 0, '--panel-size', 64)
    run('retrieve', query(files, models, *words, '--save-bank',
                          files / 'bank.pth', kind=kind))
    figure, = (files / 'out').iterdir()
    assert figure.name == 'query_30_20_level0.png'
    assert Image.open(figure).width > 4 * 64
    printed = capsys.readouterr().out.splitlines()
    run('retrieve', query(files, models, *words, bank='bank.pth', kind=kind))
    assert capsys.readouterr().out.splitlines()[-4:] == printed[-4:]
    assert printed[-1] == f'  {figure}'
    found = [line.split('  ') for line in printed[-4:-1]]
    cosines = [float(cosine) for cosine, _ in found]
    assert cosines == sorted(cosines, reverse=True)
    assert all(Path(path).parent == files / 'images' for _, path in found)
    assert any('segments of 2 images' in line for line in printed)


def test_page_of_all_segments(files, models, capsys):
    """Of all levels; the query itself only if it is asked for."""
    words = query(files, models, '--html', files / 'out/page.html',
                  bank='.')
    for word in ('--point', '30', '20'):
        words.remove(word)
    page = files / 'out/page.html'
    for more in ([], ['--keep-query']):
        run('retrieve', [*words, *more])
        assert capsys.readouterr().out.splitlines()[-1] == f'  {page}'
        text = page.read_text()
        data = json.loads(re.search(
            '<script type="application/json" id="data">(.*?)</script>', text,
            re.S)[1])
        assert [x['name'] for x in data['levels']] == [
            'Level 0', 'Level 1', 'Level 2']
        assert 'http' not in text.replace('http-equiv', '')
        own = 'query' in [x['name'] for x in data['images'][1:]]
        assert own == bool(more)
        for level in data['levels']:
            assert level['neighbors'] and all(
                0 < len(x) <= 3 for x in level['neighbors'].values())
            # With the query in the bank, each segment's nearest is itself.
            for segment, near in level['neighbors'].items():
                assert not more or near[0][1] == int(segment)
    assert not list((files / 'out').glob('*.png'))


@pytest.mark.slow
@pytest.mark.parametrize('words, figure', [
    (['hierarchy_demo.py', 'images/cat.png', '--config', 'cast-t_photos'],
     'hierarchy/cat_hierarchy.png'),
    (['retrieve_demo.py', 'query.jpg', '--point', '3', '4', '--bank',
      'images'], 'retrieval/query_3_4_level0.png'),
])
def test_as_programs_from_anywhere(files, words, figure):
    """A config without a checkpoint: a note, and a figure."""
    result = subprocess.run(
        [sys.executable, DEMO / words[0], *words[1:]],
        cwd=files,
        capture_output=True,
        text=True)
    assert result.returncode == 0, result.stderr
    assert 'Note: no `weights` were given' in result.stdout
    assert (files / 'outputs' / figure).is_file()


@pytest.mark.parametrize('demo, changes, more, message', [
    ('hierarchy', {}, ['--config', 'cast-xxl'], "nor a model 'cast-xxl'"),
    ('hierarchy', {}, ['--out', __file__], '`out_dir` must be a folder'),
    ('retrieve', dict(point=(70, 0)), [], 'inside .*query.jpg., which has '
     '70 x 40 pixels, numbered from 0: got 70 0'),
    ('retrieve', dict(bank='nowhere'), [], "nowhere' does not exist"),
    ('retrieve', {}, ['--level', 7], '`level` is 7, but the hierarchy has 3'),
])
def test_mistakes_are_explained(files, models, demo, changes, more, message):
    words = query(files, models, *more, **changes)
    if demo == 'hierarchy':
        words = [str(files / 'images'), *options(files, models, 'moco', *more)]
    with pytest.raises(UserError, match=message):
        run(demo, words)
    assert not (files / 'out').exists()


@pytest.fixture(scope='module')
def tutorial():
    """Source and outputs of the cells with code."""
    path = DEMO / 'tutorial.ipynb'
    assert path.stat().st_size < 300_000
    return [(''.join(cell['source']), cell['outputs'])
            for cell in json.loads(path.read_text())['cells']
            if cell['cell_type'] == 'code']


def test_tutorial_has_pictures_and_no_errors(tutorial):
    outputs = [output for _, outputs in tutorial for output in outputs]
    pictures = [one for one in outputs if 'image/jpeg' in one.get('data', ())]
    assert len(pictures) > 3
    assert 'error' not in {output['output_type'] for output in outputs}


@pytest.mark.slow
@pytest.mark.filterwarnings('ignore:.*non-interactive')
def test_tutorial_runs(tutorial, monkeypatch):
    """Its cells in a plain interpreter, which needs no Jupyter."""
    monkeypatch.setenv('MPLBACKEND', 'agg')
    names, start = {}, time.process_time()
    for i, (source, _) in enumerate(tutorial):
        exec(compile(source, f'cell {i}', 'exec'), names)
    assert time.process_time() - start < 120
