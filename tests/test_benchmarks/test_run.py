"""The command, and every benchmark at a tiny size."""

import json
import os
import subprocess
import sys
from contextlib import nullcontext, suppress

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from benchmarks import goals, run
from benchmarks.goals import GOALS, Goal, Settings
from benchmarks.report import replace_section
from benchmarks.superpixels import FAST_SLIC, METHODS, Method
from mmhierseg._base.errors import UserError

TINY = Settings(rounds=1, images=2, threads=1, img_size=64, large_size=96,
                huge_size=(64, 96), hsg_images=2)
#: Options of a tiny run, and the rows of its tables.
RUNS = {
    'goals': ('--only slic-ue slic-224 retrieval-memory --rounds 1', 3),
    'superpixels': ('--sizes 64 --images 2 --repeats 1',
                    13 + 2 * (FAST_SLIC in METHODS)),
    'retrieval': ('--queries 40 --banks 100 200 --some 10', 2),
    'hsg': ('--images 1 2 --size 8 --channels 8 --regions 4 --repeats 1 '
            '--ranks 1', 7),
    'segment_size': ('--segment-sizes 8 16 --img-sizes 64 --scenes 1', 2),
    'pipeline': ('--images 2 --batch-size 2 --img-size 64 --repeats 1', 4),
    'runtime': ('--models vit-s cast-s --modes inference-fp32 --img-size 64 '
                '--batch-size 2 --repeats 1', 2),
    'scaling': ('--modes inference-fp32 --sizes 64 --batches 1 --repeats 1',
                1),
    'segmentation': ('--modes inference --img-size 64 --repeats 1', 4),
    'profile_step': ('--mode inference-fp32 --img-size 64 --batch-size 2 '
                     '--repeats 1', 5),
    'pictures': ('--sizes 96x64 --repeats 1', 1),
    'real': ('--table superpixels --data DATA --results DATA/results', 12),
}
_FAST = ('retrieval', 'superpixels')


def write_bsds500(folder):
    """One photograph and two segmentations of it."""
    root = folder / 'BSDS500'
    for part in ('images/test', 'groundTruth/test'):
        (root / part).mkdir(parents=True)
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (6, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((72, 48)).save(
        root / 'images/test/1.jpg')
    truth = np.empty((1, 2), dtype=object)
    for i in range(2):
        truth[0, i] = dict(Segmentation=np.kron(
            generator.integers(1, 4, (2, 3)), np.ones((24, 24))).astype(
                np.uint16))
    savemat(root / 'groundTruth/test/1.mat', dict(groundTruth=truth))


def test_every_benchmark_is_run_here():
    assert set(RUNS) == set(run.BENCHMARKS)


@pytest.mark.parametrize('name', [
    pytest.param(name, marks=[] if name in _FAST else pytest.mark.slow)
    for name in RUNS
])
def test_tables_and_json(name, tmp_path, capsys):
    options, rows = RUNS[name]
    if name == 'real':
        write_bsds500(tmp_path)
        options = options.replace('DATA', str(tmp_path))
    out = tmp_path / 'folder' / 'out.json'
    # Goals may be missed at this size, or beside other tests.
    with suppress(UserError) if name == 'goals' else nullcontext():
        run.main([
            name, '--threads', '1', '--out', str(out), *options.split()])
    lines = capsys.readouterr().out.splitlines()
    # Without the headers.
    assert sum(line.startswith('| ') for line in lines) - sum(
        line.startswith('|---') for line in lines) >= rows
    report = json.loads(out.read_text())
    assert report['machine']['threads'] == 1 and report['results']


@pytest.mark.slow
def test_runs_as_a_program(tmp_path):
    """From any folder, without the paths that pytest adds."""
    result = subprocess.run(
        [sys.executable, run.__file__, 'superpixels', *RUNS['superpixels'][0]
         .split()], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    assert '| TorchSLIC |' in result.stdout


@pytest.mark.parametrize('name', run.BENCHMARKS)
def test_page_has_the_sections(name, monkeypatch, tmp_path):
    """What --update-readme would replace is there."""
    args = run.parse_args([name, '--quick'])
    sections = {
        'superpixels': ['speed of superpixels on the CPU',
                        'quality of superpixels'],
        'hsg': ['losses of HSG on the CPU'],
        'segment_size': ['segment size', 'memory by segment size'],
        'profile_step': ['profile of a step'],
        'real': ['superpixels on BSDS500, 224 x 224',
                 'superpixels on BSDS500, own size',
                 'hierarchies against people',
                 'the model that ships against people', 'recognition'],
    }.get(name, [f'{name} on the CPU'])
    page = tmp_path / 'page.md'
    page.write_text(args.page.read_text(encoding='utf-8'))
    for section in sections:
        replace_section(page, section, 'new')
    assert page.read_text().count('-->\n\nnew\n\n<!--') == len(sections)


@pytest.mark.slow
@pytest.mark.parametrize('name', ['slic-torch-512', 'slic-ev', 'pipeline',
                                  'sampling-896', 'hsg-contrast', 'cast-fp32',
                                  'plain-training-bf16', 'small-operators',
                                  'whole-time', 'import'])
def test_goals_at_tiny_size(name):
    measured = GOALS[name].measure(TINY)
    # A difference of two times; noise may be larger.
    lowest = -60 if name == 'import' else 0
    assert lowest < measured.value < 1000 and ' : ' in measured.words


def test_verdicts(capsys, monkeypatch):
    def row(value, needs=()):
        return Goal('x', 'words', 2., True,
                    lambda settings: goals.Measured(1 * value, 'a : b'),
                    needs=needs)

    monkeypatch.setattr(goals, 'GOALS', {
        str(i): x for i, x in enumerate(
            [row(None), row(2.), row(1.9), row(float('nan')),
             row(3., ('no_such', ))])
    })
    with pytest.raises(UserError, match='missed: x, x, x$'):
        run.main(['goals'])
    rows = capsys.readouterr().out.splitlines()[-6:-1]
    assert ['pass' in row for row in rows] == [False, True, False, False,
                                               False]
    assert ['short of goal' in row for row in rows] == [
        True, False, True, True, False]
    # It fails, and the others are measured.
    assert 'failed: TypeError' in rows[0]
    assert 'needs no-such' in rows[4]


def test_switch_of_compiled_functions_is_restored(monkeypatch):
    monkeypatch.setenv('MMHIERSEG_COMPILED', '1')
    for name in METHODS:
        Method(name, 16)(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))
    assert os.environ['MMHIERSEG_COMPILED'] == '1'


@pytest.mark.parametrize('words, message', [
    ('goals --rounds 0', '--rounds must be at least 1, got 0'),
    ('goals --only slic-gpu', 'no goal for --device cpu'),
    ('runtime --modes training-bf16', 'on a GPU only'),
    ('runtime --img-size 100', '--img-size must be a multiple of 32'),
    ('scaling --sizes 100', '--sizes must be multiples of 32'),
    ('segmentation --img-size 100', '--img-size must be a multiple of 32'),
    ('retrieval --banks 10', '--banks must be at least 20'),
    ('retrieval --out .', '--out must be a file'),
])
def test_bad_options(words, message):
    with pytest.raises(UserError, match=message):
        run.main(words.split())
