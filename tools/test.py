#!/usr/bin/env python
"""Test a model, in MMPretrain's or in MMSegmentation's form.

python tools/test.py CONFIG CHECKPOINT --work-dir work_dirs/cast

On several GPUs: tools/dist_test.sh, tools/slurm_test.sh. All options:
python tools/test.py --help
"""

import sys
from functools import partial

import mmhierseg  # noqa: F401  (first: repairs the installed stack)
from mmhierseg._base.errors import run_command
from mmhierseg.cli.launch import test
from mmhierseg.cli.records import start_record

if __name__ == '__main__':
    sys.exit(run_command(partial(test, record=start_record)))
