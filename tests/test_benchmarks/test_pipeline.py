import json

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.pipeline import run, tables
from benchmarks.pipeline.photographs import SIZE, write_photographs
from benchmarks.pipeline.work import BASELINE, PIPELINES, Pass, time_parts
from mmhierseg._base.errors import UserError


@pytest.fixture(autouse=True)
def keep_threads():
    threads, of_opencv = torch.get_num_threads(), cv2.getNumThreads()
    yield
    torch.set_num_threads(threads)
    cv2.setNumThreads(of_opencv)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('photographs')
    write_photographs(folder, 3)
    return folder


def test_photographs_are_like_those_of_imagenet(folder, tmp_path):
    paths = sorted((folder / 'train').rglob('*.JPEG'))
    assert len(paths) == 3
    for path in paths:
        with Image.open(path) as photo:
            assert photo.size == SIZE and photo.mode == 'RGB'
        assert 20_000 < path.stat().st_size < 300_000
    again = write_photographs(tmp_path, 3)
    assert [x.read_bytes() for x in again] == [x.read_bytes() for x in paths]


@pytest.mark.parametrize('name', PIPELINES)
def test_views_have_superpixels(folder, name):
    """All draw the same views; what differs is the fourth channel."""
    views = Pass(name, folder, 2, 0, 'cpu', img_size=64)()
    plain = Pass('no superpixels', folder, 2, 0, 'cpu', img_size=64)()
    assert len(views) == 2
    for view, image in zip(views, plain):
        # Three photographs: the last batch has one.
        torch.testing.assert_close(view[:, :3], image)
        if name == 'no superpixels':
            assert view.shape == (1, 3, 64, 64)
        else:
            labels = view[0, 3].unique()
            assert labels.tolist() == list(range(len(labels)))
            assert 8 <= len(labels) <= 16


def test_parts_are_all_there_is(folder):
    one = Pass(BASELINE, folder, 2, 0, 'cpu', img_size=64)
    parts = time_parts(one)
    assert list(parts) == [
        'LoadImage', 'RandomResizedCrop', 'ColorJitter', 'RandomGrayscale',
        'GaussianBlur', 'Solarize', 'RandomFlip', 'GenerateSuperpixels',
        'PackInputs', 'preprocessor', 'other'
    ]
    assert min(parts.values()) > 0
    # Nothing is watched any more.
    assert 'forward' not in vars(one.preprocessor)
    assert all('transform' not in vars(x)
               for x in one.dataset.pipeline.transforms)


def test_tables():
    seconds = {name: [2. + i, 4. + i] for i, name in enumerate(PIPELINES)}
    parts = dict(LoadImage=0.2, GenerateSuperpixels=1.)
    results = {
        name: dict(images=10, seconds=seconds[name], parts=dict(
            parts if name == BASELINE else dict(LoadImage=0.1), other=0.1))
        for name in PIPELINES
    }
    lines = tables.speed_table({'0': results}).splitlines()
    assert lines[2].startswith('| no superpixels | 0 | 3.3 | 300.0 (')
    # Of 3 and 5 seconds to 2 and 4: the median of 1.5 and 1.25.
    assert lines[2].endswith(' | 1.38 |')
    assert lines[3].endswith(' | 1.00 |')
    lines = tables.parts_table(results).splitlines()
    assert lines[2] == '| LoadImage | 10.00 | 20.00 | 10.00 | 10.00 |'
    assert lines[3] == '| GenerateSuperpixels | – | 100.00 | – | – |'


def test_whole_run_with_a_worker(folder, tmp_path, capsys):
    out = tmp_path / 'pipeline.json'
    run.main(['--data', str(folder), '--img-size', '64', '--batch-size', '2',
              '--workers', '1', '--repeats', '1', '--out', str(out)])
    assert capsys.readouterr().out.count('| 1 | ') == len(PIPELINES)
    results = json.loads(out.read_text())['results']['1']
    assert list(results) == list(PIPELINES)
    for one in results.values():
        assert one['images'] == 3 and one['parts'] is None
        assert np.isfinite(one['seconds']).all()


@pytest.mark.parametrize('option, message', [
    (['--images', '0'], '--images must be at least 1, got 0'),
    (['--img-size', '16'], '--img-size must be at least 32, got 16'),
    (['--workers', '2', '-1'], '--workers must be at least 0, got -1'),
])
def test_bad_options(option, message):
    with pytest.raises(UserError, match=message):
        run.parse_args(option)
