"""Interrupted and resumed training is the uninterrupted one, bit for bit."""

import shutil

import pytest
import torch
from helpers.pretraining import losses, train, write_config

from mmhierseg.utils.checkpoints import read_checkpoint, read_safely

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
