"""Sharded training is unsharded training, on two processes on the CPU."""

import shutil

import pytest
import torch
from helpers.cast import random_inputs
from helpers.configs import ROOT, load_config, make_data, run_tool, shrink
from helpers.distributed import run_on_two_processes
from helpers.sharding import train_both
from helpers.training import differences

from mmhierseg.checkpoints import read_checkpoint, read_safely

CONFIG = ROOT / 'configs/cast/cast-b_in1k_fsdp.py'
VIEWS = [random_inputs(4, 64, 64, 16, seed).double() for seed in (0, 1)]


@pytest.mark.slow
@pytest.mark.distributed
def test_sharded_training_is_unsharded_training(tmp_path):
    """Momentum encoder, running statistics and optimizer among it."""
    run_on_two_processes(train_both, VIEWS, tmp_path, timeout=400)
    ranks = [
        torch.load(tmp_path / f'{rank}.pth', weights_only=False)
        for rank in (0, 1)
    ]
    (whole, ids), (sharded, names) = ranks[0][1]
    assert list(sharded) == list(whole)
    for name, value in whole.items():
        torch.testing.assert_close(
            sharded[name], value, rtol=1e-7, atol=1e-9)
    total = sum(value.numel()
                for name, value in whole.items()
                if 'bn' not in name.rsplit('.', 2)[-2]
                or name.endswith(('weight', 'bias')))
    for losses, _, own in ranks:
        # The last one is of a run that continues from the unsharded one.
        for unsharded, loss in losses:
            assert loss == pytest.approx(unsharded, rel=1e-9)
        # A process holds half of it, apart from the padding.
        assert own == pytest.approx(total / 2, rel=0.02)
    # The second process saves nothing, and gathers no more than it must.
    assert not any(
        isinstance(value, torch.Tensor) and value.is_floating_point()
        for value in ranks[1][1][1][0].values())
    # States are in order, by which an unsharded run continues from them.
    keys = zip(*(state['param_groups'][0]['params'] for state in (ids, names)))
    for key, name in keys:
        assert (key in ids['state']) == (name in names['state'])
        for part, value in ids['state'].get(key, {}).items():
            torch.testing.assert_close(
                names['state'][name][part], value, rtol=1e-6, atol=1e-9)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Folder to run tools in, with data; two epochs of sharded training."""
    root = tmp_path_factory.mktemp('run')
    make_data(root)
    cfg = shrink(load_config(CONFIG))
    cfg.train_cfg.max_epochs = 2
    cfg.train_dataloader.batch_size = 2
    cfg.randomness.seed = 0
    cfg.dump(root / 'config.py')
    train(root, 'whole', '--amp', '--auto-scale-lr')
    return root


def train(root, name, *options, config='config.py'):
    """Output of training on two processes."""
    return run_tool('dist_train.sh', config, '2', '--work-dir', name,
                    *options, cwd=root)


@pytest.mark.distributed
@pytest.mark.slow
def test_resumed_is_uninterrupted(folder):
    """Bit for bit."""
    (folder / 'parts').mkdir()
    shutil.copy(folder / 'whole/epoch_1.pth', folder / 'parts')
    output = train(folder, 'parts', '--amp', '--auto-scale-lr', '--resume',
                   'parts/epoch_1.pth')
    assert 'resumed epoch: 1, iter: 2' in output
    assert 'Random states are those of the checkpoint' in output
    read_safely()
    whole, parts = (
        read_checkpoint(str(folder / name / 'epoch_2.pth'))
        for name in ('whole', 'parts'))
    for key in ('state_dict', 'optimizer', 'param_schedulers'):
        assert not differences(whole[key], parts[key]), key
    assert whole['state_dict']['momentum_encoder.steps'] == 4


@pytest.mark.distributed
@pytest.mark.slow
def test_classifier_is_tested_from_its_checkpoint(folder):
    """Trained, validated sharded; tested by one process."""
    cfg = shrink(load_config(ROOT / 'configs/cast/cast-b_deit_in1k.py'))
    cfg.custom_hooks = []
    cfg.optim_wrapper.paramwise_cfg.pop('flat_decay_mult')
    cfg.runner_type = 'FlexibleRunner'
    cfg.strategy = load_config(CONFIG).strategy
    cfg.train_dataloader.batch_size = 2
    cfg.dump(folder / 'deit.py')
    output = train(folder, 'deit', config='deit.py')
    validated = accuracies(output)
    output = run_tool('test.py', 'deit.py', 'deit/epoch_1.pth', '--work-dir',
                      'deit/test', cwd=folder)
    assert len(validated) == 1 and accuracies(output) == validated
    read_safely()
    names = read_checkpoint(str(folder / 'deit/epoch_1.pth'))['state_dict']
    assert not any('fsdp' in name for name in names)


def accuracies(output):
    return [
        line.split('accuracy/top1: ')[1].split()[0]
        for line in output.splitlines() if 'accuracy/top1: ' in line
    ]
