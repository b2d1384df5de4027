import json

import pytest
import torch
from mmengine.logging import MMLogger
from PIL import Image

from benchmarks.common.report import read_section
from benchmarks.cost.models import CONTENDERS, model_config
from benchmarks.growth import run, work
from mmhierseg._base.errors import UserError

TINY = dict(embed_dims=48, depths=(1, 1, 1, 1), num_heads=4, _delete_=True)
TINY_VIT = dict(embed_dims=48, num_layers=2, num_heads=4,
                feedforward_channels=96, _delete_=True)


@pytest.fixture(autouse=True)
def own_settings():
    """A run sets the number of threads and quietens the logger."""
    logger = MMLogger.get_current_instance()
    level, threads = logger.level, torch.get_num_threads()
    yield
    logger.setLevel(level)
    torch.set_num_threads(threads)


@pytest.fixture
def tiny(monkeypatch):
    """The same work with tiny backbones."""
    grown = work.grown
    width = {'model.head.in_channels': 48}
    monkeypatch.setitem(CONTENDERS, 'vit-s', CONTENDERS['vit-s']._replace(
        classifier_options={'model.backbone.arch': TINY_VIT, **width}))
    monkeypatch.setattr(work, 'grown', lambda size: grown(size)._replace(
        classifier_options={'model.backbone.arch': TINY, **width,
                            **grown(size).classifier_options}))


def test_poolings_grow_with_tokens():
    clusters = [
        tuple(model_config(work.grown(size), False, size,
                           False).backbone.num_clusters)
        for size in (224, 1024)
    ]
    assert clusters[0] == (64, 32, 16, 8)
    # 4096 tokens are 20.9 times 196.
    assert clusters[1] == (1337, 669, 334, 167)


def test_run_draws_and_tells(tiny, tmp_path, monkeypatch, capsys):
    page = tmp_path / 'page.md'
    page.write_text('<!-- begin growth on the CPU -->\n'
                    '<!-- end growth on the CPU -->\n')
    monkeypatch.setattr(run, 'README', page)
    out, png = tmp_path / 'growth.json', tmp_path / 'growth.png'
    run.main(['--sizes', '64', '96', '--batches', '2', '--threads', '1',
              '--modes', 'inference-fp32', 'training-fp32', '--repeats', '1',
              '--out', str(out), '--png', str(png), '--update-readme'])
    results = json.loads(out.read_text())['results']
    assert [(x['img_size'], x['batch_size'], x['tokens'])
            for x in results] == 2 * [(64, 2, 16), (96, 2, 36)]
    for one in results:
        for model in one['models'].values():
            assert model['seconds'][0] > 0 and model['step'] > 0
    table = read_section(page, 'growth on the CPU')
    assert table in capsys.readouterr().out
    assert table.count('| Training step, fp32 |') == 2
    with Image.open(png) as picture:
        assert picture.width > 500
    # From the file alone, without measuring.
    run.main(['--draw', str(out), '--png', str(tmp_path / 'again.png')])
    assert (tmp_path / 'again.png').read_bytes() == png.read_bytes()


def test_what_takes_too_long_is_left_out(tiny):
    args = run.parse_args(['--sizes', '64', '96', '--batches', '1',
                           '--repeats', '1', '--max-seconds', '1e-9'])
    first, second = run.measure('inference-fp32', args)
    assert set(first['models']) == set(work.MODELS)
    assert second['models'] == {}
    assert run.to_table([first, second]).splitlines()[-1] == (
        '| Inference, fp32 | 96 | 36 | 1 | – | – | – | – | – | – |')


@pytest.mark.parametrize('option, message', [
    (['--sizes', '224', '100'], '--sizes must be multiples of 32, got'),
    (['--batches', '0'], '--batches must be at least 1, got'),
    (['--repeats', '0'], '--repeats must be at least 1, got 0'),
    (['--modes', 'training-bf16'], 'on a GPU only; add --device cuda'),
])
def test_bad_options(option, message):
    with pytest.raises(UserError, match=message):
        run.parse_args(option)
