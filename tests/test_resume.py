"""Interrupted and resumed training is the uninterrupted one, bit for bit."""

import shutil

import numpy as np
import pytest
import torch
from helpers.configs import ROOT, load_config, make_data, shrink
from helpers.dense import DENSE_PATHS, save_dense_pretrained, shrink_dense
from helpers.pretraining import losses, train, write_config
from helpers.segmentation_data import make_segmentation_data

from mmhierseg.checkpoints.match import read_checkpoint, read_safely
from mmhierseg.cli import launch

pytestmark = pytest.mark.slow


def run_twice(folder, *options, **config_options):
    """Last checkpoints and outputs: uninterrupted, resumed after epoch 1."""
    config = write_config(folder, **config_options)
    whole, parts = folder / 'whole', folder / 'parts'
    outputs = [train(config, whole, *options)]
    # What a run leaves behind that was stopped during its second epoch.
    parts.mkdir()
    shutil.copy(whole / 'epoch_1.pth', parts)
    (parts / 'last_checkpoint').write_text(str(parts / 'epoch_1.pth'))
    outputs.append(train(config, parts, '--resume', *options))
    assert 'resumed epoch: 1, iter: 2' in outputs[1]
    read_safely()
    return [read_checkpoint(str(d / 'epoch_3.pth')) for d in (whole, parts)
            ], outputs


def differences(a, b, name=''):
    """Paths of the values that differ in two nested containers."""
    if type(a) is not type(b):
        return [name]
    if isinstance(a, torch.Tensor):
        return [] if torch.equal(a, b) else [name]
    if isinstance(a, dict):
        if a.keys() != b.keys():
            return [name]
        return [d for k in a for d in differences(a[k], b[k], f'{name}.{k}')]
    if isinstance(a, (list, tuple)):
        if len(a) != len(b):
            return [name]
        return [
            d for i, pair in enumerate(zip(a, b))
            for d in differences(*pair, f'{name}.{i}')
        ]
    return [] if a == b else [name]


TRAINED = ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers',
           'random_states')


SEED = ['--cfg-options', 'randomness.seed=3']


@pytest.mark.parametrize('workers, options', [(0, []), (1, SEED)])
def test_resumed_is_uninterrupted(workers, options, tmp_path):
    """With an open seed, and with workers that the config keeps alive."""
    (whole, parts), outputs = run_twice(tmp_path, *options, workers=workers)
    assert whole['meta']['iter'] == parts['meta']['iter'] == 6
    for key in TRAINED:
        assert not differences(whole[key], parts[key]), key
    assert whole['state_dict']['momentum_encoder.steps'] == 6
    assert 'Random states are those of the checkpoint' in outputs[1]
    all_losses, rest = map(losses, outputs)
    assert len(all_losses) == 6 and rest == all_losses[2:]


def test_it_takes_the_hook(tmp_path):
    """The test sees what goes wrong without it."""
    (whole, parts), _ = run_twice(
        tmp_path,
        *SEED,
        hooks=", random_state=dict(_delete_=True, type='EmptyCacheHook')")
    assert 'random_states' not in whole
    assert differences(whole['state_dict'], parts['state_dict'])


@pytest.mark.parametrize('workers', [0, 2])
def test_deit_goes_on(workers, tmp_path, monkeypatch):
    """Repeated augmentation, RandAugment, erasing, Mixup and average, too.

    With validation, by the average, after every epoch.
    """
    monkeypatch.chdir(tmp_path)
    make_data(tmp_path)
    cfg = shrink(load_config(ROOT / 'configs/cast/cast-s_deit_in1k.py'))
    cfg.train_cfg.max_epochs = 3
    cfg.train_dataloader.update(
        batch_size=2, num_workers=workers, persistent_workers=workers > 0)
    config = str(tmp_path / 'config.py')
    cfg.dump(config)
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    np.random.seed(0)
    launch.train([config, '--work-dir', str(whole)])
    # Of an open seed, this makes another one.
    np.random.seed(1)
    launch.train([config, '--work-dir', str(parts), '--resume',
                  str(whole / 'epoch_1.pth')])
    read_safely()
    whole, parts = (read_checkpoint(str(d / 'epoch_3.pth'))
                    for d in (whole, parts))
    assert whole['meta']['iter'] == parts['meta']['iter'] == 15
    assert whole['meta']['seed'] == parts['meta']['seed']
    for key in TRAINED:
        assert not differences(whole[key], parts[key]), key
    assert not torch.equal(whole['state_dict']['head.fc.weight'],
                           whole['ema_state_dict']['module.head.fc.weight'])


# ------------------------------------------------------ training by iterations


def tune(folder, name, workers, **overrides):
    """Fine-tune as tools/train.py does: five iterations, of them one resumes.

    Four iterations see the data set once. Two are between checkpoints, and
    between validations three.

    Returns:
        Last checkpoints, uninterrupted and resumed, and the log of the latter.
    """
    cfg = shrink_dense(DENSE_PATHS[name])
    save_dense_pretrained(cfg, folder)
    cfg.model.backbone.drop_path_rate = 0.3
    cfg.train_dataloader.update(
        num_workers=workers, persistent_workers=workers > 0)
    cfg.param_scheduler[-1].end = cfg.train_cfg.max_iters = 5
    cfg.train_cfg.val_interval = 3
    cfg.default_hooks.checkpoint.update(interval=2, max_keep_ckpts=-1)
    cfg.default_hooks.update(overrides)
    config = str(folder / 'config.py')
    cfg.dump(config)
    whole, parts = folder / 'whole', folder / 'parts'
    np.random.seed(0)
    launch.train([config, '--work-dir', str(whole)])
    # Of an open seed, this makes another one.
    np.random.seed(1)
    words = ['--resume', str(whole / 'iter_2.pth')]
    launch.train([config, '--work-dir', str(parts), *words])
    read_safely()
    log, = (path.read_text() for path in parts.rglob('*.log'))
    return [read_checkpoint(str(d / 'iter_5.pth')) for d in (whole, parts)
            ], log


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Folder to run the tool in, with VOC and ADE20K of scenes."""
    make_segmentation_data(tmp_path, ('voc', 'ade20k'))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize('name, workers', [
    ('cast/cast-s_segmenter_ade20k-512x512', 0),
    ('cast/cast-s_voc12aug-512x512', 2),
])
def test_fine_tuning_goes_on(name, workers, folder):
    """With SGD's momentum, a polynomial, dropout and an open seed."""
    (whole, parts), log = tune(folder, name, workers)
    assert whole['meta']['iter'] == parts['meta']['iter'] == 5
    assert whole['meta']['seed'] == parts['meta']['seed']
    for key in ('state_dict', 'optimizer', 'param_schedulers',
                'random_states'):
        assert not differences(whole[key], parts[key]), key
    assert 'Random states are those of the checkpoint' in log
    assert 'Iter(train) [3/5]' in log and 'Iter(train) [2/5]' not in log
    assert 'Iter(val) [4/4]' in log


def test_fine_tuning_takes_the_hook(folder):
    (whole, parts), _ = tune(
        folder,
        'cast/cast-s_voc12aug-512x512',
        workers=0,
        random_state=dict(type='EmptyCacheHook'))
    assert 'random_states' not in whole
    assert differences(whole['state_dict'], parts['state_dict'])
