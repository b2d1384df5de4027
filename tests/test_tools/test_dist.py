import os
import re
import stat
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def trained(tool, classifier_config, tmp_path_factory):
    """One epoch in two processes."""
    folder = tmp_path_factory.mktemp('dist train')
    result = tool('dist_train.sh', classifier_config, 2, '--work-dir', folder)
    return result.stdout, folder


@pytest.mark.distributed
def test_two_processes_share_the_data(trained):
    output, folder = trained
    # Eight images, two to a batch, two processes: two steps instead of four.
    assert 'Epoch(train) [1][2/2]' in output
    assert (folder / 'epoch_1.pth').is_file()


@pytest.mark.distributed
def test_two_processes_resume(tool, classifier_config, trained):
    _, folder = trained
    result = tool('dist_train.sh', classifier_config, 2, '--work-dir', folder,
                  '--cfg-options', 'train_cfg.max_epochs=2', '--resume')
    assert 'resumed epoch: 1, iter: 2' in result.stdout
    assert 'Epoch(train) [2][2/2]' in result.stdout
    weights = [
        torch.load(folder / f'epoch_{i}.pth',
                   weights_only=False)['state_dict']['head.fc.weight']
        for i in (1, 2)
    ]
    assert not torch.equal(*weights)


@pytest.mark.distributed
def test_two_processes_test(tool, segmentor_config, trained_segmentor,
                            tmp_path):
    _, folder = trained_segmentor
    result = tool('dist_test.sh', segmentor_config, folder / 'iter_2.pth', 2,
                  '--work-dir', tmp_path)
    assert 'Iter(test) [1/1]' in result.stdout
    assert 'mIoU' in result.stdout


@pytest.fixture(scope='module')
def cast_config(tmp_path_factory, imagenet):
    """The recipe of CAST-S on ImageNet with a small model and images."""
    path = tmp_path_factory.mktemp('configs') / 'cast.py'
    path.write_text(f"""
_base_ = [r'{ROOT}/configs/cast/cast-s_in1k.py']
model = dict(
    backbone=dict(
        arch=dict(
            _delete_=True, embed_dims=32, depths=(1, 1, 1, 1), num_heads=4),
        img_size=64, num_clusters=(8, 4, 3, 2)),
    neck=dict(in_channels=32, hid_channels=16, out_channels=8),
    head=dict(predictor=dict(
        in_channels=8, hid_channels=16, out_channels=8)))
train_dataloader = dict(
    batch_size=2, num_workers=1, dataset=dict(data_root=r'{imagenet}'))
for _view in _base_.train_dataloader.dataset.pipeline[1].transforms:
    _view[0].scale = 64
    _view[-1].superpixels.num_segments = 16
train_dataloader['dataset']['pipeline'] = (
    _base_.train_dataloader.dataset.pipeline)
default_hooks = dict(logger=dict(interval=1))
""")
    return path


@pytest.mark.distributed
@pytest.mark.slow
def test_cast_recipe_trains_and_resumes(tool, cast_config, tmp_path):
    # 'Resume' has the learning rate go on where it was, so the schedule is
    # that of the recipe, 100 epochs, and the run is cut short.
    short = ('--work-dir', tmp_path, '--auto-scale-lr', '--cfg-options')
    result = tool('dist_train.sh', cast_config, 2, *short,
                  'train_cfg.max_epochs=1')
    assert re.search(r'Epoch\(train\) +\[1\]\[2/2\]', result.stdout)
    assert (tmp_path / 'epoch_1.pth').stat().st_size < 10_000_000
    result = tool('dist_train.sh', cast_config, 2, *short,
                  'train_cfg.max_epochs=2', '--resume')
    assert 'resumed epoch: 1, iter: 2' in result.stdout
    assert 'find_unused_parameters=True' not in result.stdout
    losses = [
        float(value) for value in re.findall(r'loss: (\S+)', result.stdout)
    ]
    assert len(losses) == 2 and np.isfinite(losses).all()


@pytest.mark.parametrize('script', [
    'dist_train.sh', 'dist_test.sh', 'slurm_train.sh', 'slurm_test.sh'
])
def test_too_few_words_print_the_usage(tool, script):
    result = tool(script, 'config.py', check=False)
    assert result.returncode == 2
    assert f'tools/{script} ' in result.stdout


def test_slurm_passes_words_as_they_are(tool, tmp_path):
    # srun that prints its arguments, one to a line.
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    srun.chmod(srun.stat().st_mode | stat.S_IXUSR)
    result = tool('slurm_test.sh', 'gpu', 'my job', 'a config.py', 'last.pth',
                  '--cfg-options', 'a=[1, 2]', GPUS='4',
                  SRUN_ARGS='--time 5 --quiet',
                  PATH=f'{tmp_path}{os.pathsep}{os.environ["PATH"]}')
    words = result.stdout.splitlines()
    assert words[:6] == [
        '-p', 'gpu', '--job-name=my job', '--ntasks=4', '--cpus-per-task=5',
        '--gres=gpu:4'
    ]
    assert words[-7:] == [
        words[-7], 'a config.py', 'last.pth', '--cfg-options', 'a=[1, 2]',
        '--launcher', 'slurm'
    ]
    assert '--time' in words and '--quiet' in words
