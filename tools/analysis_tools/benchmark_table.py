"""Show results of tests in the tables of the papers, in Markdown.

``tools/test.py`` leaves ``test_<config>_<time>.json`` in its work directory.
Takes any number of such files, or folders with them::

    python tools/analysis_tools/benchmark_table.py work_dirs --out tables.md

The papers' numbers come from ``configs/*/metafile.yml``, whose tables in
``configs/*/README.md`` and ``docs/model_zoo.md`` ``--update-readmes`` renews.
The name of a config says where its result goes (``--list``); ``--alias`` gives
another name a place.
"""

import argparse
import re
import sys
from pathlib import Path

import make_table
from make_table import ROOT, TABLES
from read_records import read_records

import mmhierseg  # noqa: F401  (repairs the installed stack)
from mmhierseg._base.atomic import write_atomically
from mmhierseg._base.errors import UserError, run_command

_BLOCK = re.compile(
    r'(?s)(<!-- (models|zoo) of (.+?) -->\n).*?(<!-- end -->)')
_TABLE = dict(models=make_table.model_table, zoo=make_table.zoo_table)


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description="Write the papers' tables with results beside them")
    parser.add_argument(
        'results',
        nargs='*',
        help="files test_*.json or folders (default: the papers' numbers)")
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
        help='metrics of other configs, such as "NFCovering/*" (default: all)')
    parser.add_argument(
        '--average',
        action='store_true',
        help='show mean and deviation of several results of one config')
    parser.add_argument(
        '--out', help='file to write (default: standard output)')
    parser.add_argument(
        '--list',
        action='store_true',
        help='list the config and the metrics that fill each cell')
    parser.add_argument(
        '--update-readmes',
        action='store_true',
        help='renew the tables in configs/*/README.md and docs/model_zoo.md '
        'from the metafiles')
    return parser.parse_args()


def updated(text: str) -> str:
    """A page with each block ``<!-- models of ... -->`` renewed."""
    return _BLOCK.sub(
        lambda block: f'{block[1]}{_TABLE[block[2]](block[3])}\n{block[4]}',
        text)


def main() -> None:
    """Write the tables, or report what is wrong in one message."""
    args = parse_args()
    if args.update_readmes:
        pages = sorted(ROOT.glob('configs/*/README.md'))
        for path in [*pages, ROOT / 'docs/model_zoo.md']:
            write_atomically(path, updated(path.read_text()).encode())
        return
    if args.list:
        print(make_table.expected_cells(args.tables))
        return
    for word in args.alias:
        if not re.fullmatch('[^=]+=[^=]+', word):
            raise UserError(f'--alias takes NAME=CONFIG, got {word!r}')
    aliases = dict(word.split('=') for word in args.alias)
    records = read_records(args.results, aliases)
    text = make_table.benchmark_tables(
        records, args.tables, args.metrics, args.average)
    if args.out is None:
        print(text, end='')
        return
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, text.encode())


if __name__ == '__main__':
    sys.exit(run_command(main))
