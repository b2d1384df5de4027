import json
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.scripts import load_script
from mmengine.config import Config

from benchmarks.common import tools
from benchmarks.learning import run
from benchmarks.learning.measure import (
    load_backbone,
    make_photographs,
    make_scenes,
    measure,
)
from benchmarks.learning.photographs import PHOTOGRAPHS, _half
from benchmarks.learning.probe import probe
from benchmarks.learning.segment import cluster, segment, segment_by_colour
from benchmarks.learning.tables import to_markdown
from benchmarks.learning.views import PairedViews, make_views
from mmhierseg._base.errors import UserError

SCENES = dict(size=(64, 64), max_others=0, typical_colors=1.)
SOURCE = dict(type='mmhierseg.PartWholeScenes', **SCENES)
SIZES = (8, 4)


@pytest.fixture(scope='module')
def scenes():
    return make_scenes(48, False, SCENES), make_scenes(24, True, SCENES)


@pytest.fixture(params=run.MODELS)
def backbone(request):
    """Smaller than measured, so that clustering it is quick."""
    cfg = Config.fromfile(run.CONFIGS / f'{request.param}.py')
    cfg.model.backbone.img_size = 64
    if request.param in ('cast', 'cast-grid'):
        cfg.model.backbone.num_clusters = (*SIZES, 2, 1)
    return load_backbone(cfg, 0)


def count_operations(backbone, image):
    """As tools/analysis_tools/get_flops.py does, attention included."""
    get_flops = load_script('analysis_tools/get_flops.py')
    return get_flops.count(backbone, image)[0].total()


def normalise(images):
    return (images - 120) / 58


def test_views_are_drawn_once(tmp_path):
    make_views(tmp_path, 2, SOURCE)
    before = (tmp_path / 'views.npy').stat().st_mtime_ns
    make_views(tmp_path, 2, SOURCE)
    assert (tmp_path / 'views.npy').stat().st_mtime_ns == before
    make_views(tmp_path, 3, SOURCE)
    views = PairedViews(str(tmp_path))
    assert len(views) == 3
    first, second = views[0]['img']
    assert first.shape == (64, 64, 4) and first.dtype == np.int32
    assert first[..., 3].max() == 15 and (first != second).any()
    plain = PairedViews(str(tmp_path), with_maps=False)[0]['img'][0]
    np.testing.assert_array_equal(plain, first[..., :3])


def test_interrupted_views_are_drawn_anew(tmp_path):
    make_views(tmp_path, 2, SOURCE)
    whole = np.load(tmp_path / 'views.npy')
    (tmp_path / 'views.json').unlink()
    np.save(tmp_path / 'views.npy', whole[:1])
    make_views(tmp_path, 2, SOURCE)
    np.testing.assert_array_equal(np.load(tmp_path / 'views.npy'), whole)


def test_cluster_finds_clusters():
    rng = np.random.default_rng(0)
    truth = np.array([[0., 0], [5, 0], [0, 5]])
    points = (truth + 0.1 * rng.standard_normal((20, 3, 2))).reshape(-1, 2)
    centers = cluster(points, 3)
    distances = abs(centers[:, None] - truth).sum(-1)
    assert sorted(distances.argmin(0)) == [0, 1, 2]
    assert distances.min(0).max() < 0.2
    assert len(cluster(points[:2], 3)) == 2


def test_probe_is_as_good_as_its_features():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(400) % 4
    noise = torch.randn(400, 8, generator=generator)
    signal = torch.nn.functional.one_hot(labels, 4).float()
    good = torch.cat([noise[:, :4], signal], dim=1)
    assert probe(good[:300], labels[:300], good[300:], labels[300:]) == 1
    chance = probe(noise[:300], labels[:300], noise[300:], labels[300:])
    assert chance < 0.45


def test_segments_cover_the_image(backbone, scenes):
    images = scenes[1].images[:2, :, :, :48]
    for size, labels in zip(SIZES, segment(backbone, normalise(images),
                                           SIZES)):
        assert labels.shape == (2, 64, 48) and labels.dtype == torch.int64
        assert all(1 < len(m.unique()) <= size for m in labels)
        assert labels.min() >= 0


def test_segments_by_colour():
    """Where colour tells all, so do they."""
    maps = torch.arange(4).view(1, 2, 2)
    maps = maps.repeat_interleave(4, 1).repeat_interleave(4, 2)
    images = torch.tensor([0., 200, 0, 200])[maps][:, None].expand(
        -1, 3, -1, -1)
    labels, = segment_by_colour(images, maps, [2])
    assert (labels[:, :4] == labels[:, 4:]).all()
    assert len(labels.unique()) == 2


def test_measures(backbone, scenes):
    result = measure(backbone, normalise, *scenes, SIZES)
    assert set(result) == {
        'accuracy', 'part/8', 'part/4', 'object/8', 'object/4'
    }
    assert all(0 <= value <= 1 for value in result.values())
    # More segments can be labelled better.
    assert result['object/8'] > result['object/4'] > 0


def test_photographs(backbone):
    training, test = (make_photographs(56, test, 64) for test in (False, True))
    assert training.labels.tolist() == [*range(8, 14), *range(14)] + [
        *range(14)] * 2 + [*range(8)]
    assert (training.images != test.images).any()
    result = measure(backbone, normalise, training, test, SIZES)
    assert set(result) == {'accuracy', 'explained/8', 'explained/4'}
    assert 0 < result['explained/4'] < result['explained/8'] < 1


def test_sides_of_a_photograph_do_not_meet():
    for label in range(len(PHOTOGRAPHS)):
        left, right = (_half(label, test) for test in (False, True))
        assert left.shape[0] == right.shape[0]
        assert left.shape[1] == pytest.approx(1.5 * right.shape[1], abs=2)


def test_views_of_photographs(tmp_path):
    make_views(tmp_path, 2,
               dict(type='mmhierseg.PhotographCrops', size=(64, 64)))
    assert PairedViews(str(tmp_path))[1]['img'][0].shape == (64, 64, 4)


def test_table():
    results = {
        'colours': [{'part/4': 0.5, 'object/4': 0.25}],
        'cast/trained': [
            dict(accuracy=0.1 * i, **{'part/4': 0.5, 'object/4': 0.25})
            for i in (1, 2, 3)
        ]
    }
    lines = to_markdown(results, [4]).splitlines()
    assert lines[2].endswith('|  | 50.0 | 25.0 |')
    assert lines[3] == ('| CAST, pre-trained | 20.0 ± 10.0 | 50.0 ± 0.0 | '
                        '25.0 ± 0.0 |')


@pytest.mark.slow
def test_whole_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run, 'SCENES', SCENES)
    monkeypatch.setitem(run.DATA, 'scenes', SOURCE)
    argv = [
        '--models', 'cast', '--seeds', '0', '--pairs', '64', '--iters', '8',
        '--images', '56', '56', '--work-dir',
        str(tmp_path)
    ]
    run.main(argv)
    assert '| CAST, pre-trained |' in capsys.readouterr().out
    content = json.loads((tmp_path / 'learning.json').read_text())
    initialised, = content['results']['cast/initialised']
    trained, = content['results']['cast/trained']
    assert initialised != trained
    assert content['machine']['cpu_cores'] >= 1
    # What is there is not made again.
    monkeypatch.setattr(tools, 'run_tool', None)
    monkeypatch.setattr(run, 'measure', None)
    run.main(argv)


def test_refuses_to_mix_settings(tmp_path):
    argv = ['--work-dir', str(tmp_path), '--iters']
    run.check_settings(run.parse_args([*argv, '8']))
    run.check_settings(run.parse_args([*argv, '8', '--models', 'vit']))
    with pytest.raises(UserError, match='another setting of iters: name'):
        run.check_settings(run.parse_args([*argv, '16']))


def test_baselines_take_no_fewer_operations():
    """Up to a fifth more; what makes superpixels is not counted."""
    operations = {}
    for name in run.MODELS:
        cfg = Config.fromfile(run.CONFIGS / f'{name}.py')
        backbone = load_backbone(cfg, 0)
        image = torch.zeros(1, 3, run.SIDE, run.SIDE)
        if name != 'vit':
            maps = backbone.superpixels(image)[:, None].float()
            image = torch.cat([image, maps], dim=1)
        operations[name] = count_operations(backbone, image)
    ratios = {n: operations[n] / operations['cast'] for n in operations}
    # 21.6 million for CAST.
    assert 21.5e6 < operations['cast'] < 21.7e6
    assert all(0.99 < ratio < 1.2 for ratio in ratios.values()), ratios


@pytest.mark.parametrize('option, message', [
    (['--iters', '2'], '--iters must be at least 8, got 2'),
    (['--pairs', '0'], '--pairs must be at least 64, got 0'),
    (['--images', '12', '600'], 'at least 56 each'),
])
def test_bad_options(option, message):
    with pytest.raises(UserError, match=message):
        run.parse_args(option)


def test_failed_training_names_its_log(tmp_path):
    args = run.parse_args(['--work-dir', str(tmp_path)])
    with pytest.raises(UserError, match=r'train.py failed: see .*log\.txt'):
        run.pretrain('cast', 0, args)
    log = Path(tmp_path / 'cast_seed0/log.txt').read_text()
    assert 'there is no data root' in log
