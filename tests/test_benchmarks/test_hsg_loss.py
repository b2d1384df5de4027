import json

import pytest
import torch
from PIL import Image

from benchmarks.hsg_loss import naive_reference, run, work
from benchmarks.hsg_loss.batch import make_batch
from benchmarks.hsg_loss.tables import ranks_to_markdown, to_markdown
from mmhierseg._base.errors import UserError


@pytest.fixture(scope='module')
def batch():
    return make_batch(3, size=14, channels=16, num_regions=9)


def test_batch_is_like_those_of_training(batch):
    """Some segments in each region, regions in both views, one sequence."""
    segments = batch.views
    assert batch.embeddings.shape == (6, 16, 14, 14)
    assert len(segments.pixels) == 6 * 14 * 14
    number = torch.bincount(segments.views, minlength=6)
    assert (number > 9).all() and (number < 9 * 16).all()
    assert batch.sequences.padding.shape == (3, 256)
    # A region of an image has segments in its other view, too.
    for label in batch.labels[0].unique()[:5]:
        views = segments.views[batch.labels[0] == label]
        assert set(views.tolist()) <= {int(views[0]) % 3,
                                       int(views[0]) % 3 + 3}
    shared = sum(
        len(segments.views[batch.labels[0] == label].unique()) == 2
        for label in batch.labels[0].unique())
    assert shared > 9


@pytest.mark.parametrize('name', run.WORKS)
def test_what_is_naive_reference_is_the_same(batch, name):
    """Both versions have the same results and gradients."""
    results = [getattr(version, name)(batch)
               for version in (work, naive_reference)]
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-5)
    if name == 'kmeans':
        return
    gradients = [
        torch.autograd.grad(result.sum(), batch.leaves(), allow_unused=True)
        for result in results
    ]
    used = [x for x, y in zip(*gradients) if x is not None]
    assert len(used) == (2 if name == 'contrast' else 3)
    for own, other in zip(*gradients):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('name', run.WORKS)
def test_all_is_on_the_device_of_the_batch(batch, name, monkeypatch):
    """Whatever is made without a device would be where nothing else is."""
    # Numbers that processes exchange; they are moved there.
    for loss in ('pixel_segment_contrast', 'dmon', 'centroid_contrast'):
        monkeypatch.setattr(
            f'mmhierseg.models.losses.{loss}_loss.mean_count', float)
    for version in run.VERSIONS:
        with torch.device('meta'):
            run.step(version, name, batch)


def test_moved_batch_has_leaves(batch):
    moved = batch.to('cpu')
    assert all(leaf.is_leaf and leaf.requires_grad
               for leaf in moved.leaves())
    torch.testing.assert_close(moved.labels, batch.labels)


def test_table_has_dashes_for_what_was_not_run():
    one = dict(seconds=[1., 3., 2.], peak=3 * 2**20)
    size = dict(images=2, pixels=1000, prototypes=24, channels=128)
    lines = to_markdown([
        dict(size=size, kmeans={'package': one, 'written out': one}),
        dict(size=size, contrast={'package': one}),
    ]).splitlines()
    assert lines[2:] == [
        '| k-means | 2 | 1,000 | 24 | 0.5 | 0.1 | 2 | 3.0 | 2 | 3.0 '
        '| 1.0 |',
        '| contrast and gradients | 2 | 1,000 | 24 | 0.5 | 0.1 | 2 | 3.0 | – '
        '| – | – |',
    ]


def test_table_of_processes():
    """The vectors of each are its pixels and the segments of all."""
    lines = ranks_to_markdown([
        dict(ranks=2, pixels=1024, prototypes=1024, channels=128,
             seconds=0.25, peak=5 * 2**20)
    ]).splitlines()
    assert lines[2] == '| 2 | 1,024 | 1,024 | 1.0 | 4.0 | 0.25 | 5.0 |'


def test_whole_run(tmp_path, capsys):
    threads = torch.get_num_threads()
    try:
        run.main([
            '--images', '1', '8', '--size', '14', '--channels', '16',
            '--regions', '9', '--repeats', '1', '--threads', '1',
            '--matrix-limit', '2', '--out', str(tmp_path / 'loss.json'),
            '--ranks', '1', '2', '--png', str(tmp_path / 'growth.png')
        ])
    finally:
        torch.set_num_threads(threads)
    assert capsys.readouterr().out.count('| contrast and gradients |') == 2
    report = json.loads((tmp_path / 'loss.json').read_text())
    small, large = report['results']
    one, two = report['ranks']
    assert one['pixels'] == two['pixels'] == small['size']['pixels']
    assert one['prototypes'] < two['prototypes']
    assert 0 < one['peak'] < two['peak']
    with Image.open(tmp_path / 'growth.png') as picture:
        assert picture.width > 2 * picture.height
    assert small['size']['pixels'] == 2 * 14 * 14
    # Pixels x prototypes are 64 times as many.
    matrix = 4 * large['size']['pixels'] * large['size']['prototypes']
    assert 'written out' in small['contrast']
    assert 'written out' not in large['contrast']
    assert 0 < large['contrast']['package']['peak'] < 2 * matrix
    for name in ('kmeans', 'grouping'):
        for version in run.VERSIONS:
            assert large[name][version]['peak'] > 0


@pytest.mark.parametrize('option, message', [
    (['--images', '4', '0'], '--images must be at least 1, got'),
    (['--repeats', '0'], '--repeats must be at least 1, got 0'),
    (['--ranks', '2', '0'], '--ranks must be at least 1, got'),
])
def test_bad_options(option, message):
    with pytest.raises(UserError, match=message):
        run.parse_args(option)
