"""The tables on photographs, on small scenes in their layouts."""

import json

import numpy as np
import pytest
from helpers.camvid import make_bsds500, make_camvid
from helpers.segmentation_data import make_segmentation_data
from PIL import Image

from benchmarks import run
from benchmarks.real.cells import CELLS
from mmhierseg.datasets import PartWholeScenes

pytestmark = pytest.mark.slow


def save_scenes(images, labels=None, number=16, size=(128, 128), seed=3):
    images.mkdir(parents=True)
    for i, scene in enumerate(PartWholeScenes(number, size=size, seed=seed)):
        Image.fromarray(scene['img'][..., ::-1]).save(images / f'{i}.JPEG')
        if labels:
            labels.mkdir(parents=True, exist_ok=True)
            Image.fromarray(scene['gt_part_map'].clip(max=18)).save(
                labels / f'{i}.png')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """All data sets of the tables, tiny."""
    root = tmp_path_factory.mktemp('tables')
    for i, split in enumerate(('train', 'val')):
        for kind in range(2):
            save_scenes(root / f'imagenette/{split}/n{kind}',
                        seed=10 * i + kind)
    parts = root / 'car-parts'
    save_scenes(parts / 'img_dir/val', parts / 'ann_dir/val', number=2,
                size=(240, 320))
    make_segmentation_data(root / 'coco-voc21', ['voc'])
    voc = root / 'coco-voc21'
    (voc / 'data/VOCdevkit').rename(voc / 'VOCdevkit')
    make_camvid(root / 'camvid', dict(train=16, test=2), suffix='.jpg')
    make_bsds500(root / 'BSDS500', 2, size=(120, 176))
    contours = root / 'BSDS500/ucm2-u8/test'
    contours.mkdir(parents=True)
    for i in range(2):
        lines = np.zeros((241, 353), np.uint8)
        lines[100 + i] = 90
        Image.fromarray(lines).save(contours / f'{i}.png')
    return root


@pytest.mark.parametrize('table, sizes', [
    ('recognition', [5] * 5), ('hierarchies', [10, 7]), ('scenes', [5, 5])])
def test_table_is_made_once(data, capsys, table, sizes):
    """A few iterations of all; a second call measures and trains nothing."""
    words = ['real', '--table', table, '--quick', '--threads', '1', '--data',
             data, '--work-dir', data / 'work', '--results', data / 'results']

    def make():
        run.main([*map(str, words)])
        found = [part.splitlines() for part in capsys.readouterr().out.split(
            '\n\n') if part.startswith('| ')]
        times = [path.stat().st_mtime_ns for pattern in (
            f'{table}.json', 'finished.json')
                 for path in sorted(data.rglob(pattern))]
        return found, times

    tables, times = make()
    assert [len(some) - 2 for some in tables] == sizes
    if table != 'hierarchies':
        for some in tables:
            assert [line.split(' | ')[0][2:] for line in some[2:]] == [*CELLS]
    entries = json.loads(
        (data / f'work/quick/{table}.json').read_text())
    values = np.hstack([np.ravel(value) for entry in entries.values()
                        for name, value in entry['values'].items()
                        if name != 'levels'])
    assert (values >= 0).all() and (values <= 100).all()
    # What is measured in a hurry does not stay with the results.
    assert not (data / 'results').exists()
    assert make() == (tables, times)
