"""Interrupted and resumed training is the uninterrupted one, bit for bit."""

import numpy as np
import pytest
import torch
from helpers.configs import ROOT, load_config, make_data, shrink
from helpers.dense import DENSE_PATHS, save_dense_pretrained, shrink_dense
from helpers.hsg_configs import HSG_PATHS, shrink_hsg
from helpers.pretraining import losses, write_config
from helpers.scripts import run_in_process
from helpers.segmentation_data import make_segmentation_data
from helpers.training import differences

from mmhierseg.checkpoints import read_checkpoint, read_safely

pytestmark = pytest.mark.slow


def train(config, work_dir, *options):
    """The last checkpoint and the log."""
    _, output = run_in_process('train.py', config, '--work-dir', work_dir,
                               *options)
    path = work_dir / 'last_checkpoint'
    read_safely()
    return read_checkpoint(path.read_text()), output


def train_twice(config, first, iterations, *options):
    """Uninterrupted, and resumed from its first checkpoint.

    Checkpoint, logs, and what differs. Open seeds are different ones.
    """
    folder = config.parent
    np.random.seed(0)
    whole, log = train(config, folder / 'whole', *options)
    np.random.seed(1)
    parts, rest = train(config, folder / 'parts', '--resume',
                        folder / 'whole' / first, *options)
    assert 'resumed epoch: ' in rest
    assert whole['meta']['iter'] == parts['meta']['iter'] == iterations
    assert whole['meta']['seed'] == parts['meta']['seed']
    return whole, log, rest, [
        found for key in TRAINED
        for found in differences(whole.get(key), parts.get(key), key)
    ]


TRAINED = ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers',
           'random_states')
SEED = ['--cfg-options', 'randomness.seed=3']


@pytest.mark.parametrize('workers, options', [(0, []), (1, SEED)])
def test_pretraining_is_resumed(workers, options, tmp_path):
    """With an open seed, and with workers that the config keeps alive."""
    config = write_config(tmp_path, workers=workers)
    whole, output, rest, differs = train_twice(config, 'epoch_1.pth', 6,
                                               *options)
    assert not differs
    assert whole['state_dict']['momentum_encoder.steps'] == 6
    assert 'Random states are those of the checkpoint' in rest
    assert len(losses(output)) == 6 and losses(rest) == losses(output)[2:]


def test_deit_is_resumed(tmp_path, monkeypatch):
    """Repeated augmentation, RandAugment, erasing, Mixup and average, too.

    With validation after every epoch.
    """
    monkeypatch.chdir(tmp_path)
    make_data(tmp_path)
    cfg = shrink(load_config(ROOT / 'configs/cast/cast-s_deit_in1k.py'))
    cfg.train_cfg.max_epochs = 3
    cfg.train_dataloader.update(
        batch_size=2, num_workers=2, persistent_workers=True)
    config = tmp_path / 'config.py'
    cfg.dump(config)
    whole, _, _, differs = train_twice(config, 'epoch_1.pth', 15)
    assert not differs
    assert not torch.equal(whole['state_dict']['head.fc.weight'],
                           whole['ema_state_dict']['module.head.fc.weight'])


@pytest.mark.parametrize('name, workers', [
    ('cast/cast-s_segmenter_ade20k-512x512', 0),
    ('cast/cast-s_voc12aug-512x512', 2),
])
def test_fine_tuning_is_resumed(name, workers, tmp_path, monkeypatch):
    """With SGD's momentum, a polynomial, dropout and an open seed.

    Four iterations see the dataset once. Two are between checkpoints, and
    between validations three.
    """
    make_segmentation_data(tmp_path, ('voc', 'ade20k'))
    monkeypatch.chdir(tmp_path)
    cfg = shrink_dense(DENSE_PATHS[name])
    save_dense_pretrained(cfg, tmp_path)
    cfg.model.backbone.drop_path_rate = 0.3
    cfg.train_dataloader.update(
        num_workers=workers, persistent_workers=workers > 0)
    cfg.param_scheduler[-1].end = cfg.train_cfg.max_iters = 5
    cfg.train_cfg.val_interval = 3
    cfg.default_hooks.checkpoint.update(interval=2, max_keep_ckpts=-1)
    config = tmp_path / 'config.py'
    cfg.dump(config)
    _, _, log, differs = train_twice(config, 'iter_2.pth', 5)
    assert not differs
    assert 'Random states are those of the checkpoint' in log
    assert 'Iter(train) [3/5]' in log and 'Iter(train) [2/5]' not in log
    assert 'Iter(val) [4/4]' in log


def test_hsg_is_resumed(tmp_path):
    """With the rate inside the momentum, which warms up, and dropout."""
    cfg = shrink_hsg(HSG_PATHS['hsg_r18_scenes-96x96'])
    cfg.param_scheduler[0].end = 101
    cfg.train_cfg.max_iters = cfg.train_cfg.val_interval = 4
    cfg.train_dataloader.num_workers = 1
    cfg.default_hooks.checkpoint.update(interval=2, max_keep_ckpts=-1)
    config = tmp_path / 'config.py'
    cfg.dump(config)
    whole, _, log, differs = train_twice(config, 'iter_2.pth', 4)
    assert not differs and 'Iter(train) [4/4]' in log
    assert 'velocity' in whole['optimizer']['state'][0]
