"""Configs of retrieval: memory bank, levels, settings that do not fit."""

import json
import re

import pytest
from helpers.config_runs import (
    cases,
    log_of,
    measure,
    train,
    unformatted,  # noqa: F401
    write,
)
from helpers.configs import run_tool
from helpers.retrieval import (
    RETRIEVAL_PATHS,
    save_pretraining,
    shrink_retrieval,
)
from helpers.segmentation_data import COUNTS, make_segmentation_data

from mmhierseg._base.errors import UserError
from mmhierseg.evaluation import MemoryBank

CAST = 'cast/cast-s_retrieval_voc12-512'
METRICS = {'mIoU', 'aAcc', 'BoundaryFScore/mFscore'}


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('retrieval')
    make_segmentation_data(root, ['voc'])
    return root


@pytest.fixture
def run(data, tmp_path, monkeypatch):
    """Function that shrinks a config; its file, and a checkpoint for it."""
    monkeypatch.chdir(data)

    def prepare(name=CAST, **options):
        cfg = shrink_retrieval(RETRIEVAL_PATHS[name])
        cfg.custom_hooks[0].update(options)
        return write(cfg, tmp_path), save_pretraining(name, data)

    return prepare


@pytest.mark.parametrize('name', cases(RETRIEVAL_PATHS, [CAST]))
def test_fills_its_bank_and_tests(name, run, tmp_path):
    """With a checkpoint of pre-training, as it is."""
    bank = tmp_path / 'bank.pth'
    metrics = measure(*run(name, save_to=str(bank)), tmp_path / 'work')
    assert METRICS <= set(metrics) and 0 < metrics['mIoU'] < 100
    log = log_of(tmp_path / 'work')
    # All training scenes, of both lists of VOC.
    number, images = map(int, re.search(
        r'Memory bank of (\d+) segments of (\d+) images', log).groups())
    assert images == COUNTS[0]
    # At most six segments an image, not all of one class.
    labels = MemoryBank.load(bank).labels
    assert COUNTS[0] < number == len(labels) <= 6 * COUNTS[0]
    assert labels.unique().numel() > 1
    # Progress, every third batch.
    assert re.findall(r'Memory bank \[(\d)/8\]', log) == ['3', '6', '8']


@pytest.mark.slow
@pytest.mark.parametrize('level', [0, 2, 3])
def test_other_levels(level, run, tmp_path):
    bank = tmp_path / 'bank.pth'
    measure(*run(save_to=str(bank)), tmp_path / 'work', f'model.level={level}')
    assert MemoryBank.load(bank).meta['level'] == level


def test_trains_nothing(run, tmp_path):
    with pytest.raises(UserError, match=r'nothing to train.*tools/test'):
        train(run()[0], tmp_path / 'work')


@pytest.mark.slow
@pytest.mark.distributed
def test_two_processes_are_one(run, tmp_path):
    """Five images for the bank, three to test: neither is even."""
    words = run(interval=1)
    # Superpixels by their nearest neighbour are of many classes.
    options = [
        'test_dataloader.dataset.indices=3', 'model.num_neighbors=1',
        'model.level=0', *(
            f'custom_hooks.0.dataloader.dataset.datasets.{i}.indices={number}'
            for i, number in enumerate((2, 3)))
    ]
    alone = measure(*words, tmp_path / 'one', *options)
    out = tmp_path / 'two.json'
    run_tool('dist_test.sh', *words, '2', '--work-dir', tmp_path / 'two',
             '--out', out, '--out-item', 'metrics', '--cfg-options', *options,
             cwd='.')
    assert json.loads(out.read_text()) == pytest.approx(alone)
    assert alone['BoundaryFScore/mFscore'] > 0
    sizes = {
        re.search(r'Memory bank of (\d+) segments of 5 images',
                  log_of(tmp_path / work))[1] for work in ('one', 'two')
    }
    assert len(sizes) == 1
