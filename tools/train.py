#!/usr/bin/env python
"""Train a model, in MMPretrain's or in MMSegmentation's form.

python tools/train.py configs/cast/cast-s_in1k.py [--work-dir DIR]

On several GPUs: tools/dist_train.sh, tools/slurm_train.sh. All options:
python tools/train.py --help
"""

import sys

import mmhierseg  # noqa: F401  (first: repairs the installed stack)
from mmhierseg._base.errors import run_command
from mmhierseg.cli.launch import train

if __name__ == '__main__':
    sys.exit(run_command(train))
