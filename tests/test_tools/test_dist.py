"""Several processes, by the scripts for torchrun and Slurm."""

import os
import re
import shutil

import numpy as np
import pytest
from helpers.hsg_configs import HSG_PATHS, shrink_hsg
from helpers.oversegmentation_data import make_oversegmentation_data
from helpers.pretraining import losses, write_config
from helpers.segmentation_data import COUNTS


@pytest.mark.slow
@pytest.mark.distributed
def test_cast_recipe_trains_and_resumes_from_an_intact_checkpoint(
        tool, tmp_path):
    # Resuming continues the schedule, so the run is cut short.
    config = write_config(tmp_path)
    work = tmp_path / 'work'
    words = ('--work-dir', work, '--auto-scale-lr', '--cfg-options')
    output = tool('dist_train.sh', config, 2, *words,
                  'train_cfg.max_epochs=1').stdout
    # Ten images, four to a batch, two processes: one step instead of two.
    assert re.search(r'Epoch\(train\) +\[1\]\[1/1\]', output)
    shutil.copy(work / 'epoch_1.pth', work / 'epoch_2.pth')
    os.truncate(work / 'epoch_2.pth', 5000)
    (work / 'last_checkpoint').write_text(str(work / 'epoch_2.pth'))
    output = tool('dist_train.sh', config, 2, *words,
                  'train_cfg.max_epochs=2', '--resume', CDPATH='.').stdout
    assert output.count('Training continues from') == 1
    assert 'resumed epoch: 1, iter: 1' in output
    assert 'find_unused_parameters=True' not in output
    loss, = losses(output)
    assert np.isfinite(float(loss))


@pytest.mark.slow
@pytest.mark.distributed
def test_hsg_trains(tool, tmp_path, monkeypatch):
    """Each process has its own images, in training, the bank and the test.

    That two measure what one does: `tests/test_retrieval_configs.py`.
    """
    make_oversegmentation_data(tmp_path, ['cityscapes'])
    monkeypatch.chdir(tmp_path)
    cfg = shrink_hsg(HSG_PATHS['hsg_r50_cityscapes-448x448'])
    cfg.train_dataloader.batch_size = 1
    cfg.dump('config.py')
    output = tool('dist_train.sh', 'config.py', 2, '--work-dir', 'work',
                  cwd=tmp_path).stdout
    # A parameter without a gradient would stop the second one.
    assert re.findall(r'Iter\(train\) \[(\d)/2\]', output) == ['1', '2']
    images, = re.findall(r'Memory bank of \d+ segments of (\d+) images',
                         output)
    assert int(images) == COUNTS[0]
    line, = re.findall(r'Iter\(val\) .* mIoU: .*', output)
    for level in range(3):
        assert float(re.search(rf'level{level}: ([\d.]+)', line)[1]) > 0


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
    srun.chmod(0o755)
    result = tool('slurm_test.sh', 'gpu', 'my job', 'a config.py', 'last.pth',
                  '--cfg-options', 'a=[1, 2]', GPUS='4', cwd=tmp_path,
                  SRUN_ARGS='--time 5 --quiet', CDPATH='.',
                  PATH=f'{tmp_path}{os.pathsep}{os.environ["PATH"]}')
    words = result.stdout.splitlines()
    assert words[:6] == [
        '-p', 'gpu', '--job-name=my job', '--ntasks=4', '--cpus-per-task=5',
        '--gres=gpu:4'
    ]
    assert words[-7].endswith('tools/test.py')
    assert words[-6:] == ['a config.py', 'last.pth', '--cfg-options',
                          'a=[1, 2]', '--launcher', 'slurm']
    assert '--time' in words and '--quiet' in words
