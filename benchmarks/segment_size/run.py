"""What superpixels leave possible, by their size, where things are thin.

Part-whole scenes with poles, no model, a minute on one core::

    python benchmarks/segment_size/run.py

What the numbers mean and what they were last: ``docs/swap.md``.
"""

import argparse
import sys
from pathlib import Path
from typing import List, Optional, Sequence

from PIL import Image

# The benchmarks are not installed, and this file may be run from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import mmhierseg  # noqa: F401 - repairs the installed stack
from benchmarks.common.machine import describe, in_words
from benchmarks.common.report import README, replace_section, write_json
from benchmarks.segment_size.measure import (
    METHODS,
    Achievable,
    make_scenes,
    measure,
    post_width,
    to_markdown,
)
from benchmarks.segment_size.memory import memory_table
from benchmarks.segment_size.picture import draw
from mmhierseg._base.errors import run_command
from mmhierseg.datasets.scenes import GENERATOR_VERSION

PAGE = README.parents[1] / 'docs/swap.md'
SECTION = 'segment size'
MEMORY_SECTION = 'memory by segment size'


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description='Measure what superpixels leave possible, by their size, '
        'on part-whole scenes with poles')
    parser.add_argument(
        '--methods', nargs='+', choices=METHODS, default=list(METHODS),
        metavar='METHOD', help=f'some of {", ".join(METHODS)} (default: all)')
    parser.add_argument(
        '--segment-sizes', nargs='+', type=int, default=[4, 8, 16, 32],
        metavar='N', help='sides in pixels (default: 4 8 16 32)')
    parser.add_argument(
        '--img-sizes', nargs='+', type=int, default=[512, 224], metavar='N',
        help='height and width of a scene (default: 512, then 224, in which '
        'everything is half as thick)')
    parser.add_argument(
        '--scenes', type=int, default=12, help='how many (default: 12)')
    parser.add_argument(
        '--poles', type=int, default=4, help='in each scene (default: 4)')
    parser.add_argument('--out', type=Path, help='JSON file to write')
    parser.add_argument(
        '--picture', type=Path, help='PNG to draw, of the smallest scene')
    parser.add_argument(
        '--memory', action='store_true',
        help='measure the peak memory of training, too: one more minute, and '
        '2 GiB')
    parser.add_argument(
        '--update-docs', action='store_true',
        help='put the tables into docs/swap.md')
    args = parser.parse_args(argv)
    for name in ('scenes', 'poles', 'segment_sizes', 'img_sizes'):
        value = getattr(args, name)
        if min(value if isinstance(value, list) else [value]) < 1:
            parser.error(f'--{name.replace("_", "-")} must be at least 1, '
                         f'got {value}')
    return args


def run(args: argparse.Namespace) -> dict:
    """Measure; the report, as it is written to the JSON file."""
    machine = describe('cpu')
    tables = []
    for side in args.img_sizes:
        scenes = make_scenes(args.scenes, (side, side), args.poles)
        results: List[Achievable] = []
        for size in args.segment_sizes:
            for method in args.methods:
                results.append(measure(scenes, method, size))
                print(results[-1], file=sys.stderr, flush=True)
        tables.append(
            dict(
                img_size=side,
                post_width=post_width(scenes),
                results=[result._asdict() for result in results]))
    settings = dict(
        scenes=args.scenes, poles=args.poles, methods=args.methods,
        generator=GENERATOR_VERSION)
    return dict(machine=machine, settings=settings, tables=tables)


def report_in_words(report: dict) -> str:
    """The tables, what they are of, and what they were made by."""
    settings = report['settings']
    parts = []
    for table in report['tables']:
        side = table['img_size']
        parts += [
            f'{settings["scenes"]} scenes of {side} x {side} with '
            f'{settings["poles"]} poles each, whose posts are '
            f'{table["post_width"]:.0f} pixels wide (median); '
            f'{" / ".join(settings["methods"])}, in percent:',
            to_markdown([Achievable(**row) for row in table['results']])
        ]
    parts.append(f'Version {settings["generator"]} of the scenes; '
                 f'{in_words(report["machine"])}.')
    return '\n\n'.join(parts)


def main() -> None:
    """Measure, print and write."""
    args = parse_args()
    if args.picture is not None:
        scene, = make_scenes(1, (min(args.img_sizes), ) * 2, args.poles)
        methods = [name for name in args.methods if name != 'Grid']
        args.picture.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw(scene, methods, args.segment_sizes)).quantize(
            128).save(args.picture)
    report = run(args)
    text = report_in_words(report)
    print(text)
    if args.out is not None:
        write_json(args.out, report)
    if args.update_docs:
        replace_section(PAGE, SECTION, text)
    if args.memory:
        table = memory_table()
        print(table)
        if args.update_docs:
            replace_section(PAGE, MEMORY_SECTION, table)


if __name__ == '__main__':
    sys.exit(run_command(main))
