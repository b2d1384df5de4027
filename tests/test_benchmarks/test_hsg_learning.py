import json

import numpy as np
import pytest
import torch

from benchmarks.common import tools
from benchmarks.hsg_learning import measure as measuring
from benchmarks.hsg_learning import run
from benchmarks.hsg_learning.models import colour_model, load_model
from benchmarks.hsg_learning.tables import to_markdown
from benchmarks.hsg_learning.views import make_views
from benchmarks.learning.views import PairedViews
from mmhierseg._base.errors import UserError
from mmhierseg.datasets.scenes import class_names
from mmhierseg.evaluation.functional import nf_covering

HSG, COSEGMENTED, SEGSORT = map(run.load_config, run.MODELS)


def scenes(number, test, **options):
    options = {
        **{name: HSG.scenes[name] for name in run.SCENE_OPTIONS},
        **options
    }
    return measuring.make_scenes(number, test, options)


def test_models_differ_in_their_losses_only():
    hsg, first, segsort = (
        cfg.to_dict() for cfg in (HSG, COSEGMENTED, SEGSORT))
    assert hsg['model'].pop('head').items() >= dict(
        img_sim_weight=1., fine_weight=0.1, coarse_weight=0.1).items()
    head = segsort['model'].pop('head')
    assert head['img_sim_weight'] == 1. and not any(
        head[f'{name}_weight']
        for name in ('fine', 'coarse', 'grouping', 'centroid'))
    assert first['model'].pop('head') == {**head, 'cosegment': True}
    assert not head['cosegment']
    assert hsg == first == segsort
    # Levels have as many segments as those of k-means that they stand beside.
    head = HSG.model.head
    assert list(measuring.GRIDS) == [
        np.prod(HSG.model.kmeans_clusters), head.fine_clusters,
        head.coarse_clusters
    ]
    assert ('background', *HSG.categories) == class_names()[:5]


def test_views_are_drawn_once_and_as_they_are(tmp_path):
    make_views(tmp_path, 2, HSG)
    pairs = PairedViews(
        str(tmp_path), pipeline=HSG.train_dataloader.dataset.pipeline)
    views = pairs[1]['inputs']
    assert [view.shape for view in views] == [(4, 64, 64)] * 2
    images, maps = (torch.stack(views)[:, part] for part in ([0, 1, 2], [3]))
    assert images.min() >= 0 and images.max() > 100
    # Regions keep their numbers from one view to the other; -1 is padding.
    first, second = (set(x.unique().tolist()) - {-1} for x in maps)
    assert len(first & second) > 2 and max(first | second) < 48
    written = (tmp_path / 'views.npy').stat().st_mtime_ns
    make_views(tmp_path, 2, HSG)
    assert (tmp_path / 'views.npy').stat().st_mtime_ns == written
    make_views(tmp_path, 1, HSG)
    assert len(PairedViews(str(tmp_path))) == 1


@pytest.fixture(scope='module')
def measured():
    """What was measured of HSG, and of colours."""
    model = load_model(HSG, seed=3)
    bank, test = scenes(12, False), scenes(4, True)
    return {
        'hsg/initialised': [measuring.measure(model, bank, test)],
        'colours': [
            measuring.measure(colour_model(HSG), bank, test)],
    }


def test_measures(measured):
    hsg, = measured['hsg/initialised']
    sizes = list(measuring.GRIDS)
    assert set(hsg) == {'mIoU'} | {
        f'{name}/{kind}/{size}'
        for name, used in (('kmeans', sizes), ('own', sizes[1:]))
        for kind in measuring.KINDS for size in used
    }
    assert all(0 < value < 1 for value in hsg.values())
    colours, = measured['colours']
    assert set(colours) == {name for name in hsg if 'own' not in name}
    # Parts are of one material each.
    assert colours['kmeans/part/36'] > 0.2


def test_own_groups_are_those_of_training_segments(measured):
    """Of 4 x 4 clusters, not of the 6 x 6 of retrieval."""
    model = load_model(HSG, seed=3)
    values = []
    for scene in scenes(4, True):
        (_, data), = measuring._batches(model, [scene])
        hierarchy = model.head.hierarchy_from_embeddings(
            model.upsampled(data['inputs']), kmeans_clusters=(4, 4))
        values.append(nf_covering(hierarchy.label_map(1)[0].numpy(),
                                  scene.part_instances))
    assert np.mean(values) == pytest.approx(
        measured['hsg/initialised'][0]['own/part/8'], abs=0.01)


def test_truth_gives_full_marks():
    """With the truth for segments, covering and retrieval are perfect."""
    # Two objects of a category would be one.
    bank, test = (scenes(number, number == 4, max_others=0)
                  for number in (12, 4))
    model = colour_model(HSG)
    truth = {scene.image.tobytes(): scene for scene in bank + test}

    def upsampled(inputs):
        mean, std = model.data_preprocessor.mean, model.data_preprocessor.std
        images = (inputs * std + mean).round().permute(0, 2, 3, 1)
        maps = torch.stack([
            torch.from_numpy(
                truth[image.numpy().astype(np.uint8).tobytes()].semantic)
            for image in images
        ])
        return torch.nn.functional.one_hot(maps.long(), 5).permute(
            0, 3, 1, 2).float()

    model.upsampled, model.head.embed_dims = upsampled, 5
    # There are few segments of each class.
    model.num_neighbors = 1
    result = measuring.measure(model, bank, test)
    assert result['mIoU'] > 0.99
    assert result['kmeans/object/4'] > 0.95, result


def test_seed_decides_initialisation():
    states = [load_model(SEGSORT, seed).state_dict() for seed in (0, 0, 1)]
    name = 'backbone.layer1.0.conv1.weight'
    assert torch.equal(states[0][name], states[1][name])
    assert not torch.equal(states[0][name], states[2][name])


def test_table(measured):
    results = dict(measured)
    results['hsg/trained'] = measured['hsg/initialised'] * 2
    lines = to_markdown(results).splitlines()
    assert lines[0] == ('|  | mIoU | part 36 | part 8 | part 4 | object 36 | '
                        'object 8 | object 4 |')
    assert [line.split(' | ')[0] for line in lines[2:]] == [
        '| k-means on colours', '| k-means on the untrained features',
        '| HSG, as initialised', '| HSG, k-means on its features',
        '| HSG, its own groups'
    ]
    part = 100 * measured['hsg/initialised'][0]['own/part/8']
    assert lines[4].split(' | ')[3] == f'{part:.1f}'
    assert lines[6].split(' | ')[3] == f'{part:.1f} ± 0.0'


@pytest.mark.slow
def test_whole_run(tmp_path, monkeypatch, capsys):
    argv = [
        '--models', 'hsg', '--seeds', '0', '--pairs', '16', '--iters', '8',
        '--images', '4', '2', '--work-dir', str(tmp_path)
    ]
    run.main(argv)
    assert '| HSG, its own groups |' in capsys.readouterr().out
    content = json.loads((tmp_path / 'hsg_learning.json').read_text())
    before, after = (content['results'][f'hsg/{stage}'][0]
                     for stage in ('initialised', 'trained'))
    assert before.keys() == after.keys() and before != after
    # What is there is not made again, and not mixed with anything else.
    monkeypatch.setattr(tools, 'run_tool', None)
    monkeypatch.setattr(run, 'measure', None)
    run.main(argv)
    with pytest.raises(UserError, match='another setting of images: name'):
        run.main([*argv, '--images', '4', '3'])


@pytest.mark.parametrize('option, message', [
    (['--iters', '2'], '--iters must be at least 8, got 2'),
    (['--images', '0', '9'], '--images must be at least 2 each'),
    (['--pairs', '8'], '--pairs must be at least 16, got 8'),
])
def test_bad_options(option, message):
    with pytest.raises(UserError, match=message):
        run.parse_args(option)
