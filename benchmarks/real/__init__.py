"""What is learned from real photographs, and how good superpixels are.

    python benchmarks/run.py real --table superpixels --data DIR
    python benchmarks/run.py real --table recognition --data DIR --jobs 2

Every training and every evaluation is run once: its result is added to
``benchmarks/results/`` as it comes, and found there by the next call, which
does what is missing. Trainings resume from their last epoch. Protocols, and
what ``--data`` has to hold: ``benchmarks/real.md``.
"""

import importlib
from argparse import Namespace
from pathlib import Path

from benchmarks.report import Report
from mmhierseg._base.errors import UserError

__all__ = ['OPTIONS', 'TABLES', 'run']

TABLES = ('superpixels', 'recognition', 'hierarchies', 'hsg', 'scenes')
_ROOT = Path(__file__).resolve().parents[2]
OPTIONS = dict(
    table=dict(choices=TABLES, default=TABLES[0], help='which of the tables'),
    data=dict(type=Path, default=_ROOT / 'data/real',
              help='folder of the datasets'),
    work_dir=dict(type=Path, default=_ROOT / 'work_dirs/real',
                  help='folder for checkpoints and logs of trainings'),
    results=dict(type=Path, default=_ROOT / 'benchmarks/results',
                 help='folder for the results'),
    seeds=dict(nargs='+', type=int, default=[0, 1, 2], quick=[0], least=0,
               help='seeds of trainings'),
    jobs=dict(type=int, default=1, help='trainings at a time, each with '
              '--threads threads'),
    only=dict(nargs='+', default=None, help='rows of the table of '
              'recognition, by the beginnings of their names'))


def run(args: Namespace) -> Report:
    """Measure what is missing of a table, and make it."""
    if not args.data.is_dir():
        raise UserError(f'--data: there is no folder {args.data}; what it has '
                        'to hold: benchmarks/real.md')
    # Trainings run in another folder.
    args.data, args.work_dir = args.data.resolve(), args.work_dir.resolve()
    module = importlib.import_module(f'benchmarks.real.{args.table}')
    return module.run(args)
