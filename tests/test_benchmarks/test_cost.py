import json
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from statistics import median

import pytest
import torch
from mmengine.logging import MMLogger

from benchmarks.common.report import read_section
from benchmarks.common.timing import take_turns
from benchmarks.cost import run
from benchmarks.cost.models import CONTENDERS, build_model, model_config
from benchmarks.cost.work import MODES, Step, make_images
from mmhierseg._base.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
TINY = {
    'vit-s': (dict(embed_dims=48, num_layers=2, num_heads=4,
                   feedforward_channels=96), {}),
    'cast-s': (dict(embed_dims=48, depths=(1, 1, 1, 1), num_heads=4),
               {'model.backbone.num_clusters': (8, 6, 4, 2)}),
}
MODELS = ['--models', *TINY, '--img-size', '64', '--batch-size', '2']


@pytest.fixture(autouse=True)
def own_settings():
    """A run sets the number of threads and quietens the logger."""
    logger = MMLogger.get_current_instance()
    level, threads = logger.level, torch.get_num_threads()
    yield
    logger.setLevel(level)
    torch.set_num_threads(threads)


def shrink():
    """CONTENDERS of the same configs, with tiny backbones."""
    for name, (arch, more) in TINY.items():
        options = {
            'model.backbone.arch': dict(arch, _delete_=True), **more}
        yield name, CONTENDERS[name]._replace(
            classifier_options={**options, 'model.head.in_channels': 48},
            learner_options={
                **options, 'model.neck.in_channels': 48,
                'model.neck.hid_channels': 32,
                'model.head.predictor.hid_channels': 32
            })


@pytest.fixture
def tiny(monkeypatch):
    for name, contender in list(shrink()):
        monkeypatch.setitem(CONTENDERS, name, contender)


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    """What a run of tiny models printed, and its file."""
    folder = tmp_path_factory.mktemp('cost')
    page = folder / 'README.md'
    page.write_text('<!-- begin cost on the CPU -->\n'
                    '<!-- end cost on the CPU -->')
    words = [*MODELS, '--repeats', '3', '--threads', '1', '--out',
             str(folder / 'new' / 'cost.json'), '--update-readme']
    with pytest.MonkeyPatch.context() as patch:
        for name, contender in list(shrink()):
            patch.setitem(CONTENDERS, name, contender)
        patch.setattr(run, 'README', page)
        patch.setattr(run, 'take_turns', partial(take_turns, min_seconds=0.))
        patch.setattr(sys, 'argv', ['run.py', *words])
        run.main()
    content = json.loads((folder / 'new' / 'cost.json').read_text())
    return content, read_section(page, 'cost on the CPU')


def test_everything_was_measured(report):
    content, _ = report
    assert content['machine']['threads'] == 1
    assert content['machine']['versions']['mmpretrain']
    assert content['settings']['batch_size'] == 2
    found = [(x['mode'], x['model'], x['superpixels'])
             for x in content['results']]
    assert found == [
        (mode, *which)
        for mode in ('inference-fp32', 'inference-bf16', 'training-fp32',
                     'pretraining-fp32')
        for which in (('vit-s', 'none'), ('cast-s', 'given'),
                      ('cast-s', 'made'))
    ]
    for one in content['results']:
        assert len(one['seconds']) == 3 and min(one['seconds']) > 0
        # A float32 of each parameter, and something on top.
        assert one['held_bytes'] > 4 * one['parameters'] > 0
        assert one['peak_bytes'] > one['held_bytes']


def test_numbers_follow_from_what_was_measured(report):
    results = report[0]['results']
    bases = {x['mode']: x for x in results if x['model'] == 'vit-s'}
    for one in results:
        base = bases[one['mode']]
        ratios = [x / y for x, y in zip(one['seconds'], base['seconds'])]
        assert one['time_ratio']['median'] == pytest.approx(median(ratios))
        assert one['memory_ratio'] == pytest.approx(
            one['peak_bytes'] / base['peak_bytes'])
        per_image = 1e3 * median(one['seconds']) / 2
        assert one['ms_per_image']['median'] == pytest.approx(per_image)
        assert one['images_per_second'] == pytest.approx(1e3 / per_image)
    for base in bases.values():
        assert set(base['time_ratio'].values()) == {1.}
        assert base['memory_ratio'] == 1.


def test_training_holds_more_than_inference(report):
    held = {(x['mode'], x['model']): x['held_bytes']
            for x in report[0]['results']}
    for name in TINY:
        inference = held['inference-fp32', name]
        assert held['inference-bf16', name] == inference
        # AdamW keeps two numbers for each that is trained, which of CAST's
        # the last pooling is not.
        assert held['training-fp32', name] == pytest.approx(
            3 * inference, rel=0.01 if name == 'vit-s' else 0.1)


def test_table(report):
    content, text = report
    assert '64 x 64 pixels, batch 2, 3 rounds.' in text
    assert content['machine']['commit'] in text
    rows = [re.split(r' *\| *', line)[1:-1] for line in text.splitlines()
            if line.startswith('|')]
    tables = [rows[i:i + 4] for i in range(0, len(rows), 4)]
    assert len(tables) == 4
    for mode, (header, _, vit, cast) in zip(content['settings']['modes'],
                                            tables):
        assert MODES[mode].title in text
        vit, cast = dict(zip(header, vit)), dict(zip(header, cast))
        assert vit['time : ViT'] == vit['memory : ViT'] == '1.00'
        assert vit['images/s with SP'] == '–'
        given, made = (
            x for x in content['results']
            if (x['mode'], x['model']) == (mode, 'cast-s'))
        for column, one in (('time : ViT', given),
                            ('time : ViT with SP', made)):
            assert cast[column] == f'{one["time_ratio"]["median"]:.2f}'
        assert float(cast['images/s with SP']) == pytest.approx(
            made['images_per_second'], rel=1e-3)
        assert float(cast['peak MiB']) == round(given['peak_bytes'] / 2**20)


def test_no_ratio_without_the_vit(tiny):
    args = run.parse_args([*MODELS, '--models', 'cast-s', '--modes',
                           'inference-fp32', '--repeats', '1'])
    content = run.run(args)
    assert [x['time_ratio'] for x in content['results']] == [None, None]
    assert '| – |' in run.to_markdown(content)


def test_superpixels_made_in_the_step_are_those_given(tiny):
    """The two columns differ in nothing but what superpixels cost."""
    given, made = (
        Step(CONTENDERS['cast-s'], MODES['inference-fp32'], 2, 64, made, 'cpu')
        for made in (False, True))
    assert given.views[0].shape == (2, 4, 64, 64)
    assert made.views[0].shape == (2, 3, 64, 64)
    for one, other in zip(given(), made()):
        assert torch.equal(one.pred_score, other.pred_score)


@pytest.mark.parametrize('task', ['training', 'pretraining'])
def test_step_trains(tiny, task):
    step = Step(CONTENDERS['cast-s'], MODES[f'{task}-fp32'], 2, 64, True,
                'cpu')
    before = step.model.backbone.cls_token.clone()
    assert torch.isfinite(step()['loss'])
    assert not torch.equal(before, step.model.backbone.cls_token)
    if task == 'pretraining':
        assert not torch.equal(*step.views)


def test_bf16_is_used(tiny):
    steps = [Step(CONTENDERS['vit-s'], MODES[f'inference-{precision}'], 2, 64,
                  False, 'cpu') for precision in ('fp32', 'bf16')]
    (exact, *_), (rough, *_) = (step() for step in steps)
    assert not torch.equal(exact.pred_score, rough.pred_score)
    assert torch.allclose(
        exact.pred_score, rough.pred_score.float(), rtol=0.05)


def test_images_of_different_views_differ():
    first, second = (make_images(2, 64, start, False) for start in (0, 2))
    assert first.dtype == torch.uint8 and not torch.equal(first, second)


@pytest.mark.parametrize('name, width', [
    ('vit-s', 'deit-small'), ('cast-s', 'small'), ('swin-t', 'tiny'),
    ('vit-b', 'deit-base'), ('cast-b', 'base')
])
def test_contenders_are_what_they_are_called(name, width):
    contender = CONTENDERS[name]
    assert CONTENDERS[contender.baseline].baseline == contender.baseline
    classifier = model_config(contender, False, 224, False)
    learner = model_config(contender, True, 224, False)
    assert classifier.backbone.arch == width
    assert classifier.backbone.drop_path_rate == 0
    assert learner.backbone.type.replace('MoCoV3ViT', 'VisionTransformer') == (
        classifier.backbone.type)
    # MMPretrain calls MoCo's ViT by other names.
    assert learner.backbone.arch in (width, 'mocov3-small', 'base')
    assert classifier.head.in_channels == learner.neck.in_channels
    assert learner.backbone.get('drop_path_rate', 0) == 0


@pytest.mark.parametrize('name, millions', [('vit-s', 22.1),
                                            ('cast-s', 28.3)])
def test_size_of_the_real_ones(name, millions):
    model = build_model(model_config(CONTENDERS[name], False, 224, False))
    found = sum(x.numel() for x in model.parameters()) / 1e6
    assert found == pytest.approx(millions, abs=0.1)


@pytest.mark.parametrize('words, message', [
    (['--models', 'resnet'], "invalid choice: 'resnet'"),
    (['--modes', 'inference-fp8'], "invalid choice: 'inference-fp8'"),
    (['--repeats', '0'], '--repeats must be at least 1, got 0'),
    (['--threads', '-1'], '--threads must be at least 1, got -1'),
    (['--img-size', '200'], '--img-size must be a multiple of 32, got 200'),
    (['--batch-size', '1'], '--batch-size must be at least 2 for MoCo v3'),
    (['--modes', 'training-bf16'], 'on a GPU only; add --device cuda'),
])
def test_bad_arguments(words, message, capsys):
    with pytest.raises(SystemExit):
        run.parse_args(words)
    assert message in capsys.readouterr().err


def test_no_gpu(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    with pytest.raises(SystemExit):
        run.parse_args(['--device', 'cuda'])
    assert 'PyTorch finds no GPU' in capsys.readouterr().err


def test_defaults():
    full, quick = run.parse_args([]), run.parse_args(['--quick'])
    assert full.models == list(CONTENDERS) and full.batch_size == 8
    assert quick.repeats < full.repeats
    # What is asked for wins.
    assert run.parse_args(['--quick', '--repeats', '7']).repeats == 7


def test_results_that_could_not_be_written(tmp_path, monkeypatch):
    """Told before the measurement, not after it."""
    (tmp_path / 'file').touch()
    for out in (tmp_path, tmp_path / 'file' / 'out.json'):
        with pytest.raises(UserError, match='--out: '):
            run.check_outputs(run.parse_args(['--out', str(out)]))
    page = tmp_path / 'page.md'
    monkeypatch.setattr(run, 'README', page)
    for content in (None, 'no markers'):
        if content:
            page.write_text(content)
        with pytest.raises(UserError, match='--update-readme: .*page.md'):
            run.check_outputs(run.parse_args(['--update-readme']))


def test_program_runs_from_anywhere(tmp_path):
    result = subprocess.run(
        [sys.executable, ROOT / 'benchmarks/cost/run.py', '--out', tmp_path],
        cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert result.returncode == 1
    assert 'run.py: error: --out: ' in result.stderr
    assert 'Traceback' not in result.stderr
