"""Every config of a segmentor trains, validates and tests on tiny data."""

import json
import re

import pytest
import torch
from helpers.dense import (
    CROP,
    DENSE_PATHS,
    save_dense_pretrained,
    shrink_dense,
    train_in_two_parts,
)
from helpers.segmentation_data import make_segmentation_data
from mmengine.runner import Runner

from mmhierseg.checkpoints import read_checkpoint, read_safely
from mmhierseg.cli import launch

#: Another width is all that is different, so that they shrink to the same.
WIDER = {
    name: name.replace('cast-b', 'cast-s')
    for name in DENSE_PATHS if '/cast-b' in name
}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Folder to run tools in: tiny data under data/, in the real layouts."""
    root = tmp_path_factory.mktemp('dense')
    make_segmentation_data(root)
    return root


@pytest.mark.parametrize('name', sorted(set(DENSE_PATHS) - set(WIDER)))
def test_trains_validates_and_tests(name, folder, tmp_path, monkeypatch):
    """What the two tools do, in this process."""
    monkeypatch.chdir(folder)
    cfg = shrink_dense(DENSE_PATHS[name])
    save_dense_pretrained(cfg, folder)
    config = str(tmp_path / 'config.py')
    cfg.dump(config)
    work = tmp_path / 'work'
    log = train_in_two_parts(config, work)
    score = re.search(r'Iter\(val\) \[4/4\] .* mIoU: ([\d.]+)', log)[1]
    metrics = tmp_path / 'metrics.json'
    written = (work / 'config.py').read_text()
    launch.test([
        config, str(work / 'iter_2.pth'), '--work-dir', str(work), '--out',
        str(metrics), '--out-item', 'metrics'
    ])
    # Beside the config of training, which stays.
    assert (work / 'test_config.py').is_file()
    assert (work / 'config.py').read_text() == written
    # What validation measured, of the same weights.
    assert json.loads(metrics.read_text())['mIoU'] == pytest.approx(
        float(score), abs=1e-4)


@pytest.mark.parametrize('name', WIDER)
def test_wider_configs_are_the_same_otherwise(name):
    first, second = (
        shrink_dense(DENSE_PATHS[other]) for other in (name, WIDER[name]))
    for cfg in (first, second):
        cfg.model.backbone.init_cfg.pop('checkpoint')
    assert first.to_dict() == second.to_dict()


def test_resumes(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    cfg = shrink_dense(DENSE_PATHS['cast/cast-s_voc12aug-512x512'])
    save_dense_pretrained(cfg, folder)
    config = str(tmp_path / 'config.py')
    cfg.dump(config)
    # A run writes its config into its folder, under the same name.
    work = tmp_path / 'work'
    words = [config, '--work-dir', str(work), '--no-validate']
    launch.train([*words, '--cfg-options', 'train_cfg.max_iters=1'])
    launch.train([*words, '--resume'])
    # MMEngine's own reader has taken back what it allowed.
    read_safely()
    checkpoint = read_checkpoint(str(work / 'iter_2.pth'))
    assert checkpoint['meta']['iter'] == 2
    # The warm-up has counted both steps.
    assert checkpoint['param_schedulers'][0]['last_step'] == 2
    log = max(work.rglob('*.log')).read_text()
    assert 'iter: 1' in log and 'Iter(train) [1/2]' not in log


@pytest.mark.parametrize('name', [
    'cast/cast-s_voc12aug-512x512', 'cast/cast-s_segmenter_ade20k-512x512'
])
def test_starts_from_pretrained_weights(name, folder, tmp_path, monkeypatch):
    """All that a checkpoint has, and positions in the grid of the crop."""
    monkeypatch.chdir(folder)
    cfg = shrink_dense(DENSE_PATHS[name])
    weights = save_dense_pretrained(cfg, folder)
    cfg.work_dir = str(tmp_path)
    model = Runner.from_cfg(cfg).model
    model.init_weights()
    state = model.backbone.state_dict()
    # The class token's norm goes; the fusion comes, if it is not there.
    assert {key.split('.')[0] for key in weights.keys() - state} <= {'norm'}
    new = {key.split('.')[0] for key in state.keys() - weights}
    assert new == ({'fusion'} if 'segmenter' in name else set())
    for key, value in weights.items():
        if key in state and 'pos_' not in key:
            assert torch.equal(state[key], value), key
    assert state['tokenizer.pos_grid'].tolist() == [side // 8 for side in CROP]
    assert state['tokenizer.pos_embed'].shape == (1, 1 + 6 * 8, 48)
    assert torch.equal(state['tokenizer.pos_embed'][:, 0],
                       weights['tokenizer.pos_embed'][:, 0])
