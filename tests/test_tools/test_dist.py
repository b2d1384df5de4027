"""Several processes, by the scripts for torchrun and Slurm."""

import os
import re
import shutil

import numpy as np
import pytest
from helpers.pretraining import losses, write_config


@pytest.mark.slow
@pytest.mark.distributed
def test_cast_recipe_trains_and_resumes_from_an_intact_checkpoint(
        tool, tmp_path):
    # Resuming continues the schedule, so the run is cut short.
    config = write_config(tmp_path)
    work = tmp_path / 'work'
    words = ('--work-dir', work, '--auto-scale-lr', '--cfg-options')
    output = tool('dist_train.sh', config, 2, *words,
                  'train_cfg.max_epochs=1')
    # Ten images, four to a batch, two processes: one step instead of two.
    assert re.search(r'Epoch\(train\) +\[1\]\[1/1\]', output)
    shutil.copy(work / 'epoch_1.pth', work / 'epoch_2.pth')
    os.truncate(work / 'epoch_2.pth', 5000)
    (work / 'last_checkpoint').write_text(str(work / 'epoch_2.pth'))
    output = tool('dist_train.sh', config, 2, *words,
                  'train_cfg.max_epochs=2', '--resume', CDPATH='.')
    assert output.count('Training continues from') == 1
    assert 'resumed epoch: 1, iter: 1' in output
    assert 'find_unused_parameters=True' not in output
    loss, = losses(output)
    assert np.isfinite(float(loss))


@pytest.mark.parametrize('script', [
    'dist_train.sh', 'dist_test.sh', 'slurm_train.sh', 'slurm_test.sh'
])
def test_too_few_words_print_the_usage(tool, script):
    assert f'tools/{script} ' in tool(script, 'config.py', status=2)


def test_slurm_passes_words_as_they_are(tool, tmp_path):
    # srun that prints its arguments, one to a line.
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    srun.chmod(0o755)
    words = tool('slurm_test.sh', 'gpu', 'my job', 'a config.py', 'last.pth',
                 '--cfg-options', 'a=[1, 2]', GPUS='4', cwd=tmp_path,
                 SRUN_ARGS='--time 5 --quiet', CDPATH='.',
                 PATH=f'{tmp_path}{os.pathsep}{os.environ["PATH"]}'
                 ).splitlines()
    assert words[:6] == [
        '-p', 'gpu', '--job-name=my job', '--ntasks=4', '--cpus-per-task=5',
        '--gres=gpu:4'
    ]
    assert words[-7].endswith('tools/test.py')
    assert words[-6:] == ['a config.py', 'last.pth', '--cfg-options',
                          'a=[1, 2]', '--launcher', 'slurm']
    assert '--time' in words and '--quiet' in words
