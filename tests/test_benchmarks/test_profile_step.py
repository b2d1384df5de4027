import json

import pytest
import torch
from mmengine.logging import MMLogger

from benchmarks.cost import profile_step
from benchmarks.cost.floor import Floor
from benchmarks.cost.models import CONTENDERS
from benchmarks.cost.parts import count_operations, label_parts, profile_parts
from benchmarks.cost.work import MODES, Step
from mmhierseg._base.errors import UserError

ARCH = dict(embed_dims=48, depths=(1, 1, 1, 1), num_heads=4, _delete_=True)


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
    options = {
        'model.backbone.arch': ARCH,
        'model.backbone.num_clusters': (8, 6, 4, 2)
    }
    monkeypatch.setitem(CONTENDERS, 'cast-s', CONTENDERS['cast-s']._replace(
        classifier_options={**options, 'model.head.in_channels': 48},
        learner_options={
            **options, 'model.neck.in_channels': 48,
            'model.neck.hid_channels': 32,
            'model.head.predictor.hid_channels': 32
        }))


PARTS = {
    'superpixels', 'normalisation', 'stem', 'segment means and positions',
    'sampling', *(f'blocks of stage {i}' for i in (1, 2, 3, 4)),
    *(f'pooling {i}' for i in (1, 2, 3)), 'projectors, predictor and loss',
    'optimizer', 'everything else'
}


def test_parts_of_a_step(tiny):
    step = Step(CONTENDERS['cast-s'], MODES['pretraining-fp32'], 2, 64, True,
                'cpu')
    step()
    with label_parts(step):
        seconds = profile_parts(step, 1, 'cpu')
    assert set(seconds) == PARTS
    assert all(forward > 0 for forward, _ in seconds.values())
    for name, (_, backward) in seconds.items():
        has_gradients = name.startswith(('stem', 'segment', 'blocks',
                                         'pooling', 'projectors'))
        assert (backward > 0) == has_gradients or name == 'everything else'
    # Nothing is labelled any more.
    assert all('forward' not in vars(x) for x in step.model.modules())


def test_operations(tiny):
    """Linear layers of a block, counted by hand."""
    counts = {}
    for mode in ('inference-fp32', 'training-fp32'):
        step = Step(CONTENDERS['cast-s'], MODES[mode], 2, 64, False, 'cpu')
        with label_parts(step) as running:
            counts[mode] = count_operations(step, running)
        assert running == []
    # Two images, 16 segments and a class token: 3 + 1 + 4 + 4 matrices of
    # 48 x 48, and attention among 17 tokens.
    products = 2 * 2 * 17 * 12 * 48**2 + 2 * 2 * 2 * 17**2 * 48
    found = counts['inference-fp32']['blocks of stage 1']
    assert found == pytest.approx(products, rel=1e-3)
    # All of it has two products in the backward pass (attention computes
    # its own once more).
    ratio = counts['training-fp32']['blocks of stage 1'] / found
    assert 3 <= ratio < 3.1
    # The first convolution has no gradient of the image.
    stem = [counts[mode]['stem'] for mode in counts]
    assert 2.5 < stem[1] / stem[0] < 3


def test_table():
    report = dict(
        machine=profile_step.describe('cpu'),
        settings=dict(model='cast-s', mode='pretraining-fp32', batch_size=2,
                      img_size=64),
        seconds={'stem': (1., 2.), 'optimizer': (1., 0.), 'rest': (0., 0.)},
        operations={'stem': 2 * 10**9}, parameters=10**6,
        floor=Floor(1e9, 56e6)._asdict())
    before = dict(report, seconds={'stem': (3., 3.)})
    lines = profile_step.to_markdown(report, before).splitlines()
    assert lines[0].endswith(f'before: commit {report["machine"]["commit"]}')
    assert lines[-4:] == [
        '| stem | 6000.0 | 3000.0 | 2000.0 | 75.0 | 2.0 | 2000.0 | 1.5 |',
        '| optimizer | – | 1000.0 | – | 25.0 | – | 500.0 | 2.0 |',
        '| rest | – | – | – | 0.0 | – | – | – |',
        '| all | 6000.0 | 4000.0 | 2000.0 | 100 |  |  |  |',
    ]
    # Of another batch, it says nothing.
    before['settings'] = dict(before['settings'], batch_size=4)
    lines = profile_step.to_markdown(report, before).splitlines()
    assert lines[-4].startswith('| stem | – | 3000.0 |')


def test_profile_of_before_is_that_of_the_defaults():
    before = json.loads(profile_step._BEFORE.read_text())
    args = profile_step.parse_args([])
    for name in ('model', 'mode', 'batch_size', 'img_size'):
        assert before['settings'][name] == getattr(args, name)


def test_bad_option():
    with pytest.raises(UserError, match='--repeats must be at least 1'):
        profile_step.parse_args(['--repeats', '0'])
