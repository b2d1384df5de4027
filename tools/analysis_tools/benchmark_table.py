"""Turn results of tests into the tables of the papers, in Markdown.

``tools/test.py`` leaves a file ``test_<config>_<time>.json`` in its work
directory. Any number of such files, or folders with them::

    python tools/analysis_tools/benchmark_table.py work_dirs --out tables.md

The papers' numbers stand beside; cells of what was not run stay empty. A
result goes where the name of its config says (``--list`` names them all);
``--alias`` gives a config of another name a place.
"""

import argparse
import sys
from pathlib import Path
from typing import Dict

from make_table import benchmark_tables, expected_cells
from paper_tables import TABLES
from read_records import read_records

import mmhierseg  # noqa: F401  (repairs the installed stack)
from mmhierseg._base.atomic import write_atomically
from mmhierseg._base.errors import UserError, run_command


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description="Write the papers' tables with the results of "
        'tools/test.py beside them')
    parser.add_argument(
        'results',
        nargs='*',
        help='files test_*.json that tools/test.py has written, or folders '
        'to look for them in (default: none, tables of the papers alone)')
    parser.add_argument(
        '--tables',
        nargs='+',
        choices=list(TABLES),
        default=list(TABLES),
        help='which tables (default: all)')
    parser.add_argument(
        '--alias',
        nargs='+',
        default=[],
        metavar='NAME=CONFIG',
        help='show results of the config NAME where those of CONFIG belong')
    parser.add_argument(
        '--metrics',
        nargs='+',
        metavar='METRIC',
        help='metrics of results that no table has a place for, such as '
        'mIoU or "NFCovering/*" (default: all)')
    parser.add_argument(
        '--average',
        action='store_true',
        help='show mean and standard deviation of several results of one '
        'config, as of several seeds (default: one beside the other)')
    parser.add_argument(
        '--out', help='file to write (default: standard output)')
    parser.add_argument(
        '--list',
        action='store_true',
        help='list the configs and metrics that the tables have places for')
    return parser.parse_args()


def read_aliases(words: list) -> Dict[str, str]:
    """Pairs of the form NAME=CONFIG."""
    aliases = {}
    for word in words:
        name, equals, config = word.partition('=')
        if not (name and equals and config):
            raise UserError(f'--alias takes NAME=CONFIG, got {word!r}')
        aliases[name] = config
    return aliases


def main() -> None:
    """Write the tables, or say in one message why not."""
    args = parse_args()
    tables = {name: TABLES[name] for name in args.tables}
    if args.list:
        print(expected_cells(tables))
        return
    records = read_records(args.results, read_aliases(args.alias))
    text = benchmark_tables(records, tables, args.metrics, args.average)
    if args.out is None:
        print(text, end='')
        return
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, text.encode())


if __name__ == '__main__':
    sys.exit(run_command(main))
