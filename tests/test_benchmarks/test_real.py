"""Tables on real photographs, on generated data."""

import json

import numpy as np
import pytest
import torch
from helpers.evaluation import blobs
from helpers.panoptic import save_png
from mmengine.logging import MMLogger
from scipy.io import savemat

from benchmarks import run
from benchmarks.real.superpixels import MEASURES, PROTOCOLS
from mmhierseg._base.errors import UserError


@pytest.fixture(autouse=True)
def own_settings():
    """A run quietens the logger and sets the number of threads."""
    logger = MMLogger.get_current_instance()
    level, threads = logger.level, torch.get_num_threads()
    yield
    logger.setLevel(level)
    torch.set_num_threads(threads)


def make_bsds500(root):
    """Two images, of one and of two annotators."""
    rng = np.random.default_rng(0)
    (root / 'groundTruth/test').mkdir(parents=True)
    for number, size in ((1, (48, 72)), (2, (72, 48))):
        maps = np.stack([blobs(rng, 4, shape=size) for _ in range(number)])
        cells = np.empty((1, number), dtype=object)
        for k, labels in enumerate(maps.astype(np.uint16) + 1):
            cells[0, k] = dict(Segmentation=labels)
        savemat(root / f'groundTruth/test/{number}.mat',
                dict(groundTruth=cells))
        colours = rng.integers(0, 256, (5, 3), np.uint8)
        save_png(colours[maps[0]], root / f'images/test/{number}.jpg')


def test_superpixels(tmp_path, capsys):
    """Its table; what has been measured is not measured again."""
    make_bsds500(tmp_path / 'BSDS500')
    command = ['real', '--table', 'superpixels', '--data', str(tmp_path),
               '--results', str(tmp_path), '--only', 'SEEDS (5', 'grid']
    run.main(command)
    table = capsys.readouterr().out
    path = tmp_path / 'superpixels.json'
    results = path.read_text()
    for entry in json.loads(results).values():
        assert list(entry['values']['methods']) == [
            'TorchSLIC', 'SEEDS (5, 15)', 'grid']
    size, _ = PROTOCOLS
    means = {
        name: {measure: values[measure]['mean'] for measure in MEASURES}
        for name, values in json.loads(results)[f'quality, {size}']['values']
        ['methods'].items()
    }
    # Plain colours, blurred where they meet: grids do not follow them.
    assert means['grid']['segments'] == means['TorchSLIC']['segments'] == 196
    assert means['grid']['CO'] == pytest.approx(np.pi / 4, abs=1e-4)
    for name in ('TorchSLIC', 'SEEDS (5, 15)'):
        for measure in ('ASA', 'BR', 'BP', 'EV'):
            assert means['grid'][measure] < means[name][measure] <= 1
        assert 0 <= means[name]['UE'] < means['grid']['UE']

    run.main(command)
    assert path.read_text() == results
    assert capsys.readouterr().out.splitlines()[2:] == table.splitlines()[2:]


def test_missing_data(tmp_path):
    for folder, message in (('x', '--data: there is no folder'),
                            ('', "there is no folder '.*BSDS500")):
        with pytest.raises(UserError, match=message):
            run.main(['real', '--data', str(tmp_path / folder)])
