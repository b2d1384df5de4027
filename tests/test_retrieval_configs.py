"""Every config of retrieval fills its bank and tests, on tiny data."""

import json
import os
import re
import subprocess
import sys

import pytest
import torch
from helpers.configs import ROOT, load_config
from helpers.retrieval import (
    RETRIEVAL_PATHS,
    save_pretraining,
    shrink_retrieval,
)
from helpers.segmentation_data import COUNTS, make_segmentation_data
from mmengine.runner import Runner

from mmhierseg._base.errors import UserError, run_command
from mmhierseg.cli import launch
from mmhierseg.evaluation import MemoryBank

CAST = 'cast/cast-s_retrieval_voc12-512'
#: Bank and test together, and their settings in the papers.
METRICS = {'mIoU', 'aAcc', 'BoundaryFScore/mFscore'}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Folder to run tools in: VOC's layout, and weights of pre-training."""
    root = tmp_path_factory.mktemp('retrieval')
    make_segmentation_data(root, ['voc'])
    return root


def write(name, folder, path, **options):
    """A shrunk config in a file, and the checkpoint that it tests."""
    cfg = shrink_retrieval(RETRIEVAL_PATHS[name])
    cfg.custom_hooks[0].update(options)
    cfg.dump(str(path))
    return [str(path), str(save_pretraining(name, folder))]


def metrics_of(words, work):
    """What `tools/test.py` measures."""
    out = work.with_suffix('.json')
    launch.test([
        *words, '--work-dir', str(work), '--out', str(out), '--out-item',
        'metrics'
    ])
    return json.loads(out.read_text())


def test_there_are_configs():
    assert {CAST, 'baselines/vit-s_retrieval_voc12-512',
            'baselines/cast-s-grid_retrieval_voc12-512',
            'baselines/vit-s-superpixel_retrieval_voc12-512'
            } <= set(RETRIEVAL_PATHS)


@pytest.mark.parametrize('name', RETRIEVAL_PATHS)
def test_fills_its_bank_and_tests(name, folder, tmp_path, monkeypatch):
    """With a checkpoint of the recipe of pre-training, as it is."""
    monkeypatch.chdir(folder)
    bank = tmp_path / 'bank.pth'
    words = write(name, folder, tmp_path / 'c.py', save_to=str(bank))
    metrics = metrics_of(words, tmp_path / 'work')
    assert METRICS <= set(metrics) and 0 < metrics['mIoU'] < 100
    log, = (path.read_text() for path in (tmp_path / 'work').rglob('*.log'))
    # Both lists of VOC: all scenes of training.
    number, images = map(int, re.search(
        r'Memory bank of (\d+) segments of (\d+) images', log).groups())
    assert images == COUNTS[0]
    # At most six segments an image, not all of one class.
    labels = MemoryBank.load(bank).labels
    assert COUNTS[0] < number == len(labels) <= 6 * COUNTS[0]
    assert labels.unique().numel() > 1
    # Progress, every third batch.
    assert re.findall(r'Memory bank \[(\d)/8\]', log) == ['3', '6', '8']


@pytest.mark.parametrize('name', RETRIEVAL_PATHS)
def test_settings_are_the_papers(name):
    cfg = load_config(RETRIEVAL_PATHS[name])
    model = cfg.model
    assert model.num_neighbors == 20 and model.num_classes == 21
    assert cfg.get('train_dataloader') is None
    hook, = cfg.custom_hooks
    bank = hook.dataloader.dataset.datasets
    assert [dataset.ann_file for dataset in bank] == [
        f'ImageSets/Segmentation/{split}.txt' for split in ('train', 'aug')
    ]
    test = cfg.test_dataloader.dataset
    assert test.ann_file == 'ImageSets/Segmentation/val.txt'
    for dataset in (*bank, test):
        resize = dataset.pipeline[1]
        # The longer side becomes 512.
        assert resize == dict(
            type='Resize', scale=(512, 512), keep_ratio=True)
        assert dataset.pipeline == test.pipeline
    # Forty segments, of the coarsest level or by k-means.
    clusters = model.embedder.backbone.get('num_clusters')
    assert (clusters or [model.get('kmeans', {}).get('num_clusters')]
            )[-1] == 40
    assert model.get('level', -1) == -1


@pytest.mark.parametrize('level', [0, 2, 3])
def test_other_levels(level, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    bank = tmp_path / 'bank.pth'
    words = write(CAST, folder, tmp_path / 'c.py', save_to=str(bank))
    metrics_of([*words, '--cfg-options', f'model.level={level}'],
               tmp_path / 'work')
    meta = MemoryBank.load(bank).meta
    assert meta['level'] == level


def test_bank_of_a_file(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    bank = str(tmp_path / 'bank.pth')
    words = write(CAST, folder, tmp_path / 'c.py', save_to=bank)
    wanted = metrics_of(words, tmp_path / '0')
    options = ['--cfg-options', 'custom_hooks.0.save_to=None',
               f'custom_hooks.0.load_from={bank}']
    assert metrics_of([*words, *options], tmp_path / '1') == wanted
    # Weights of another run.
    checkpoint = torch.load(words[1])
    checkpoint['state_dict']['neck.fc0.weight'] += 1
    torch.save(checkpoint, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='`weights` is .* to fill it anew'):
        metrics_of([words[0], str(tmp_path / 'other.pth'), *options],
                   tmp_path / '2')


@pytest.mark.parametrize('option, message', [
    ('model.num_neighbors=999', '`num_neighbors` is 999, but the memory bank'),
    ('model.level=9', '`level` is 9, but the hierarchy has 5 levels'),
    ('model.num_classes=3', '`target` must hold classes from 0 to 2 or 255'),
])
def test_what_does_not_fit_is_one_message(option, message, folder, tmp_path,
                                          monkeypatch, capsys):
    monkeypatch.chdir(folder)
    words = write(CAST, folder, tmp_path / 'c.py')
    words += ['--work-dir', str(tmp_path / 'work'), '--cfg-options', option]
    assert run_command(lambda: launch.test(words)) == 1
    error, _ = capsys.readouterr().err.split('error: ')[1].split('\n', 1)
    assert message in error


def test_bank_without_data(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    words = write(CAST, folder, tmp_path / 'c.py')
    key = 'custom_hooks.0.dataloader.dataset.datasets.1.data_root'
    with pytest.raises(UserError, match=f"'gone'.*{re.escape(key)}=PATH"):
        metrics_of([*words, '--cfg-options', f'{key}=gone'], tmp_path / '0')


def test_trains_nothing(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    config, _ = write(CAST, folder, tmp_path / 'c.py')
    with pytest.raises(UserError, match=r'nothing to train.*tools/test'):
        launch.train([config, '--work-dir', str(tmp_path / 'work')])


@pytest.mark.slow
@pytest.mark.distributed
def test_two_processes_are_one(folder, tmp_path, monkeypatch):
    """Five images for the bank, three to test: neither is even."""
    monkeypatch.chdir(folder)
    words = write(CAST, folder, tmp_path / 'c.py', interval=1)
    # Superpixels by their nearest neighbour are of many classes.
    options = [
        'test_dataloader.dataset.indices=3', 'model.num_neighbors=1',
        'model.level=0'
    ]
    for part, number in enumerate((2, 3)):
        options.append('custom_hooks.0.dataloader.dataset.datasets.'
                       f'{part}.indices={number}')
    options = ['--cfg-options', *options]
    alone = metrics_of([*words, *options], tmp_path / 'one')
    out = tmp_path / 'two.json'
    result = subprocess.run(
        [
            'bash', ROOT / 'tools/dist_test.sh', *words, '2', '--work-dir',
            tmp_path / 'two', '--out', out, '--out-item', 'metrics', *options
        ],
        env={
            **os.environ, 'PYTHON': sys.executable,
            'PYTHONPATH': str(ROOT),
            'OMP_NUM_THREADS': '1',
            'CUDA_VISIBLE_DEVICES': ''
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300)
    assert result.returncode == 0, result.stdout[-3000:]
    assert json.loads(out.read_text()) == pytest.approx(alone)
    assert alone['BoundaryFScore/mFscore'] > 0
    sizes = set()
    for work in ('one', 'two'):
        log, = (path.read_text() for path in (tmp_path / work).rglob('*.log'))
        sizes.add(re.search(r'Memory bank of (\d+) segments of 5 images',
                            log)[1])
    assert len(sizes) == 1


def test_another_backbone_in_validation(folder, tmp_path, monkeypatch):
    """As in the documentation, with a small ResNet; the bank is filled."""
    monkeypatch.chdir(folder)
    cfg = shrink_retrieval(
        RETRIEVAL_PATHS['baselines/vit-s_retrieval_voc12-512'], 1)
    cfg.model.embedder.backbone = dict(type='mmpretrain.ResNet', depth=18)
    cfg.work_dir = str(tmp_path)
    metrics = Runner.from_cfg(cfg).val()
    assert set(metrics) >= METRICS and metrics['aAcc'] > 0
