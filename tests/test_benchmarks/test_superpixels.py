import json
import os

import pytest
import torch

from benchmarks.superpixels import methods, run, tables
from benchmarks.superpixels.quality import MEASURES
from mmhierseg._base.errors import UserError
from mmhierseg.ops._numba import has_numba


@pytest.fixture(autouse=True)
def keep_threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize('name', methods.METHODS)
def test_methods(name, monkeypatch):
    monkeypatch.delenv('MMHIERSEG_COMPILED', raising=False)
    images = methods.make_photographs(2, 48)
    labels = methods.Method(name, 8)(images)
    assert labels.shape == (2, 48, 48)
    assert 12 < len(labels[0].unique()) <= 36
    assert 'MMHIERSEG_COMPILED' not in os.environ


@pytest.mark.skipif(not has_numba(), reason='needs numba')
def test_switch_is_set_and_put_back(monkeypatch):
    monkeypatch.setenv('MMHIERSEG_COMPILED', 'before')
    seen = []
    for name in ('TorchSLIC', 'TorchSLIC, torch only', 'grid'):
        method = methods.Method(name, 8)
        method.superpixels = lambda images: seen.append(
            os.environ['MMHIERSEG_COMPILED'])
        method(None)
    assert seen == ['1', '0', 'before']
    assert os.environ['MMHIERSEG_COMPILED'] == 'before'


def test_images():
    photographs = methods.make_photographs(16, 40)
    assert photographs.shape == (16, 3, 40, 40)
    assert photographs[14].equal(photographs[0])
    assert [x.image.shape for x in methods.make_scenes(2, 32)] == [
        (32, 32, 3)] * 2


def test_ratios_are_those_within_rounds():
    seconds = {methods.BASELINE: [.004, .006], 'TorchSLIC': [.001, .002]}
    text = tables.speed_table(224, 196, seconds)
    assert '| TorchSLIC | 1.5 (1.25–1.75) | 3.50 |' in text
    assert '224 x 224, 196 segments' in text


def test_whole_run(tmp_path, capsys):
    out = tmp_path / 'superpixels.json'
    run.main(['--sizes', '48', '--segment-size', '8', '--images', '2',
              '--repeats', '1', '--out', str(out)])
    text = capsys.readouterr().out
    assert text.count('| TorchSLIC, half resolution |') == 1 + has_numba()
    results = json.loads(out.read_text())['results']
    names = set(methods.METHODS)
    if not has_numba():
        names = {x for x in names if not methods.METHODS[x].compiled}
    assert set(results['speed']['48']) == names
    quality = results['quality']['48']
    assert set(quality['TorchSLIC']) == set(MEASURES)
    assert quality['TorchSLIC']['segments'] == 36
    assert quality['TorchSLIC']['fragments'] == 0
    for name in MEASURES[2:]:
        own, grid = quality['TorchSLIC'][name], quality['grid'][name]
        assert (own < grid) == name.startswith('under')


@pytest.mark.parametrize('option, message', [
    (['--repeats', '0'], '--repeats must be at least 1, got 0'),
    (['--sizes', '20', '64'], '--sizes must be at least twice --segment-size'),
])
def test_bad_options(option, message):
    with pytest.raises(UserError, match=message):
        run.parse_args(option)
