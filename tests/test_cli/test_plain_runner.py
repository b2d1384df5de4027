"""A config means the same under ``tools/train.py`` and a plain runner."""

import pytest
import torch
from helpers.configs import ROOT, load_config, make_data, shrink
from helpers.dense import DENSE_PATHS, save_dense_pretrained, shrink_dense
from helpers.hsg_configs import HSG_PATHS, shrink_hsg
from helpers.segmentation_data import make_segmentation_data
from mmengine.config import Config
from mmengine.runner import Runner

from mmhierseg.checkpoints import read_checkpoint, read_safely
from mmhierseg.cli import launch


def pretraining(folder):
    make_data(folder)
    return shrink(load_config(ROOT / 'configs/cast/cast-s_in1k.py'))


def segmentation(folder):
    make_segmentation_data(folder, ('voc', ))
    cfg = shrink_dense(DENSE_PATHS['cast/cast-s_voc12aug-512x512'])
    save_dense_pretrained(cfg, folder)
    return cfg


def hsg(folder):
    return shrink_hsg(HSG_PATHS['hsg_r18_scenes-96x96'])


@pytest.mark.parametrize('make', [pretraining, segmentation, hsg])
def test_same_weights(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = make(tmp_path)
    # A CPU cannot do mixed precision.
    cfg.optim_wrapper.type = 'OptimWrapper'
    for key in ('loss_scale', 'dtype'):
        cfg.optim_wrapper.pop(key, None)
    cfg.randomness.seed = 0
    cfg.dump('config.py')
    launch.train(['config.py', '--work-dir', 'tool'])
    cfg = Config.fromfile('config.py')
    cfg.work_dir = 'plain'
    Runner.from_cfg(cfg).train()
    read_safely()
    tool, plain = (
        read_checkpoint((tmp_path / name / 'last_checkpoint').read_text())
        for name in ('tool', 'plain'))
    assert tool['meta']['iter'] == 2
    assert tool['state_dict'].keys() == plain['state_dict'].keys()
    for name, value in tool['state_dict'].items():
        assert torch.equal(value, plain['state_dict'][name]), name
    assert tool['random_states'].keys() == plain['random_states'].keys()
