"""Training by tools/train.py; interrupted: test_train_interrupted.py."""

import re

import pytest
import torch
from mmengine.config import Config


def load(path):
    return torch.load(path, weights_only=False)


def test_classifier_trains_in_full_precision_without_a_gpu(
        trained_classifier):
    output, folder = trained_classifier
    assert 'AmpOptimWrapper needs a GPU and there is none' in output
    assert 'Epoch(train) [1][4/4]' in output and 'accuracy/top1' in output
    checkpoint = load(folder / 'epoch_1.pth')
    assert checkpoint['meta']['epoch'] == 1
    assert 'loss_scaler' not in checkpoint['optimizer']


def test_segmentor_trains_and_resumes(tool, segmentor_config,
                                      trained_segmentor, tmp_path):
    output, folder = trained_segmentor
    assert 'Iter(train) [2/2]' in output and 'mIoU' in output
    output = tool('train.py', segmentor_config, '--work-dir', tmp_path,
                  '--resume', folder / 'iter_2.pth', '--amp',
                  '--auto-scale-lr', '--cfg-options',
                  'train_cfg.max_iters=4', 'train_cfg.val_interval=4',
                  'auto_scale_lr.base_batch_size=1')
    assert 'resumed epoch: 0, iter: 2' in output
    assert 'AmpOptimWrapper needs a GPU' in output
    assert 'Scaling the original LR by 2.0' in output
    assert (tmp_path / 'iter_4.pth').is_file()


def test_print_config(tool, classifier_config, tmp_path):
    """The config that would be trained, complete, and nothing else."""
    output = tool('train.py', classifier_config, '--work-dir', tmp_path,
                  '--print-config', '--cfg-options', 'seed=7', process=True)
    # The error stream is in front: warnings of imports and about precision.
    cfg = Config.fromstring(
        output[output.index('data_preprocessor = dict('):], '.py')
    assert cfg.seed == 7 and cfg.work_dir == str(tmp_path)
    assert cfg.optim_wrapper.type == 'OptimWrapper'
    assert cfg.default_hooks.random_state.type == 'mmhierseg.RandomStateHook'
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('option, message', [
    ('train_dataloader.dataset.data_root=nowhere',
     "there is no data root 'nowhere' .*data_root=PATH"),
    ('val_dataloader.dataset.split=test', 'config: .*No such file.*/test'),
    ('model.type=NoSuch', 'config: .*NoSuch is not in'),
    ('optim_wrapper.optimizer.lr=-1', 'config: .*Invalid learning'),
    ('val_evaluator.no_such=1', 'config: .*no_such'),
    ('train_dataloader.drop_last=True train_dataloader.batch_size=20',
     'train_dataloader has no batch: 8 images'),
])
def test_wrong_settings(option, message, tool, classifier_config, tmp_path):
    output = tool('train.py', classifier_config, '--work-dir', tmp_path,
                  '--cfg-options', *option.split(), status=1)
    assert 'Traceback' not in output
    line = output.split('train.py: error: ')[1]
    assert re.match(message, line.replace('\n', ' ')), line
