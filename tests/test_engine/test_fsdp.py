"""Sharded training is unsharded training, on two processes on the CPU."""

import shutil

import mmengine
import pytest
import torch
from helpers.cast import random_inputs
from helpers.configs import ROOT, load_config, make_data, run_tool, shrink
from helpers.distributed import run_on_two_processes
from helpers.sharding import STEPS, train_both
from mmengine.model import ExponentialMovingAverage

from mmhierseg.checkpoints import read_checkpoint, read_safely
from mmhierseg.engine.fsdp import _update_shards

CONFIG = ROOT / 'configs/cast/cast-b_in1k_fsdp.py'
VIEWS = [random_inputs(4, 64, 64, 16, seed).double() for seed in (0, 1)]


@pytest.fixture(scope='module')
def both(tmp_path_factory):
    """What two processes have, sharded and not, after some steps."""
    folder = tmp_path_factory.mktemp('both')
    run_on_two_processes(train_both, VIEWS, folder, timeout=400)
    return [
        torch.load(folder / f'{rank}.pth', weights_only=False)
        for rank in (0, 1)
    ]


@pytest.mark.slow
@pytest.mark.distributed
def test_losses_are_those_of_unsharded_training(both):
    for rank in both:
        whole, sharded = zip(*rank['losses'][:STEPS])
        assert len(set(whole)) == STEPS
        assert sharded == pytest.approx(whole, rel=1e-9)


@pytest.mark.slow
@pytest.mark.distributed
def test_weights_are_those_of_unsharded_training(both):
    """Momentum encoder and running statistics among them."""
    whole, sharded = (state['model'] for state in both[0]['states'])
    assert list(sharded) == list(whole)
    for name, value in whole.items():
        torch.testing.assert_close(
            sharded[name], value, rtol=1e-7, atol=1e-9)
    # The second process saves nothing, and gathers no more than it must.
    assert not any(
        isinstance(value, torch.Tensor) and value.is_floating_point()
        for value in both[1]['states'][1]['model'].values())


@pytest.mark.slow
@pytest.mark.distributed
def test_optimizer_continues_from_unsharded_training(both):
    for rank in both:
        whole, sharded = rank['losses'][STEPS]
        assert sharded == pytest.approx(whole, rel=1e-9)


@pytest.mark.slow
@pytest.mark.distributed
def test_states_of_the_optimizer_are_whole_and_in_order(both):
    """So that an unsharded run continues from them: PyTorch goes by order."""
    whole, sharded = (state['optimizer'] for state in both[0]['states'])
    ids, names = (state['param_groups'][0]['params']
                  for state in (whole, sharded))
    assert len(ids) == len(names)
    for key, name in zip(ids, names):
        assert (key in whole['state']) == (name in sharded['state'])
        if key in whole['state']:
            for part in ('exp_avg', 'exp_avg_sq', 'step'):
                torch.testing.assert_close(
                    sharded['state'][name][part], whole['state'][key][part],
                    rtol=1e-6, atol=1e-9)


@pytest.mark.slow
@pytest.mark.distributed
def test_a_process_holds_half_of_it(both):
    """Apart from the padding."""
    total = sum(value.numel()
                for name, value in both[0]['states'][0]['model'].items()
                if 'bn' not in name.rsplit('.', 2)[-2]
                or name.endswith(('weight', 'bias')))
    assert both[0]['own'] == pytest.approx(total / 2, rel=0.02)
    assert both[1]['own'] == pytest.approx(total / 2, rel=0.02)


def test_encoder_that_cannot_be_followed():
    """Whole, where the momentum encoder is a shard: in no unit of its own."""
    averaged = ExponentialMovingAverage(torch.nn.Linear(4, 3))
    averaged.module.weight.data = torch.zeros(6)
    with pytest.raises(ValueError, match='1 parameters.*auto_wrap_policy'):
        _update_shards(averaged, torch.nn.Linear(4, 3))


def test_names_are_those_of_the_whole():
    """A unit inserts its own words into the names of what it wraps."""
    model = torch.nn.Linear(4, 3)
    averaged = ExponentialMovingAverage(model, momentum=0.5)
    _update_shards(averaged, model)
    before = model.weight.detach().clone()
    model.weight.data += 1
    names = torch.nn.Module()
    names.add_module('_fsdp_wrapped_module', model)
    _update_shards(averaged, names)
    torch.testing.assert_close(averaged.module.weight.data, before + 0.5)


# ------------------------------------------------------------------ the tools


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
    """Train on two processes; the output."""
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
        assert flat(whole[key]) == flat(parts[key]), key
    assert whole['state_dict']['momentum_encoder.steps'] == 4


@pytest.mark.distributed
@pytest.mark.slow
def test_one_process_continues_from_it(folder):
    """On the same runner, unsharded, whatever the processes were."""
    output = run_tool(
        'train.py', 'config.py', '--work-dir', 'single', '--resume',
        'whole/epoch_1.pth', cwd=folder)
    assert 'this is a single one: training with SingleDevice' in output
    assert 'resumed epoch: 1, iter: 2' in output
    assert 'Random states' not in output
    assert (folder / 'single/epoch_2.pth').is_file()


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


def flat(value):
    """A nested container as something that can be compared."""
    if isinstance(value, torch.Tensor):
        return value.dtype, value.tolist()
    if isinstance(value, dict):
        return {key: flat(child) for key, child in value.items()}
    if isinstance(value, (list, tuple)):
        return [flat(child) for child in value]
    return value


def test_config_is_that_of_the_unsharded_recipe():
    cfg = load_config(CONFIG)
    plain = load_config(CONFIG.with_name('cast-b_in1k.py'))
    for key in set(cfg) | set(plain):
        if key not in ('runner_type', 'strategy', 'sync_bn'):
            assert cfg.get(key) == plain.get(key), key
    assert cfg.strategy.sync_bn == plain.sync_bn
    entries = mmengine.load(CONFIG.with_name('metafile.yml'))['Models']
    assert any(entry['Name'] == CONFIG.stem for entry in entries)
