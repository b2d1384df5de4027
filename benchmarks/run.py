"""All goals of speed in one table: measured, and whether they are met.

    python benchmarks/run.py --quick          # minutes on two cores
    python benchmarks/run.py --only pipeline slic-224
    python benchmarks/run.py --list

What the rows mean and what they were last: ``benchmarks/README.md``.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Dict, List, Optional

import torch

# The benchmarks are not installed, and this file may be run from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmengine.logging import MMLogger

import mmhierseg  # noqa: F401 - repairs the installed stack
from benchmarks.common.machine import describe, in_words
from benchmarks.common.report import (
    README,
    markdown_table,
    replace_section,
    write_json,
)
from benchmarks.goals import cast, dense, hsg, pipeline, superpixels
from benchmarks.goals.goal import Goal, Settings
from mmhierseg._base.errors import UserError, run_command

GOALS: Dict[str, Goal] = {
    goal.name: goal
    for part in (superpixels, cast, dense, pipeline, hsg)
    for goal in part.GOALS
}
#: Rounds and images of HSG's batches, quick and thorough.
_QUICK, _FULL = (3, 12), (9, 24)


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition('\n')[0])
    parser.add_argument('--only', nargs='+', choices=GOALS, metavar='NAME',
                        help='some of the goals (default: all for the '
                        'device); --list names them')
    parser.add_argument('--list', action='store_true',
                        help='name the goals and measure nothing')
    parser.add_argument('--quick', action='store_true',
                        help='a few rounds, small batches: under 10 minutes')
    parser.add_argument('--device', choices=['cpu', 'cuda'], default='cpu',
                        help='default: cpu')
    parser.add_argument('--threads', type=int, default=2,
                        help='threads of PyTorch on the CPU, where a goal '
                        'does not ask for one core (default: 2)')
    parser.add_argument('--out', type=Path, help='JSON file to write')
    parser.add_argument('--update-readme', action='store_true',
                        help='put the table into benchmarks/README.md')
    args = parser.parse_args(argv)
    if args.threads < 1:
        raise UserError('--threads must be at least 1, got '
                           f'{args.threads}')
    if args.device == 'cuda' and not torch.cuda.is_available():
        raise UserError('--device cuda: PyTorch finds no GPU here; take '
                           '--device cpu')
    others = [name for name in args.only or ()
              if args.device not in GOALS[name].devices]
    if others:
        raise UserError(f'--only {" ".join(others)}: no goal for '
                           f'--device {args.device}')
    return args


def measure(goals: List[Goal], settings: Settings) -> List[dict]:
    """Measure goals one after the other.

    Args:
        goals (list[Goal]): Which ones.
        settings (Settings): How.

    Returns:
        list[dict]: Of each, ``name``, ``value`` (None if it could not be
        measured), ``words`` and ``seconds`` that it took.
    """
    results = []
    for index, goal in enumerate(goals):
        print(f'{index + 1} of {len(goals)}: {goal.name}', file=sys.stderr,
              flush=True)
        start = time.perf_counter()
        value, words = None, goal.obstacle()
        if words is None:
            value, words = goal.measure(settings)
        results.append(dict(
            name=goal.name, value=value, words=words,
            seconds=round(time.perf_counter() - start, 1)))
    return results


def to_markdown(results: List[dict]) -> str:
    """Make the table.

    Args:
        results (list[dict]): Of :func:`measure`.

    Returns:
        str: Markdown.
    """
    rows = []
    for one in results:
        goal, value = GOALS[one['name']], one['value']
        verdict = 'not measured'
        if value is not None:
            verdict = 'pass' if goal.is_met(value) else '**short of goal**'
        rows.append([
            goal.words,
            f'{"at least" if goal.at_least else "at most"} {goal.bound:g}',
            '–' if value is None else f'{value:.3g}',
            verdict,
            one['words'],
        ])
    return markdown_table(
        ('ratio', 'goal', 'measured', 'verdict', 'from'), rows)


def main(argv: Optional[List[str]] = None) -> None:
    """Measure what is asked for and print the table."""
    args = parse_args(argv)
    goals = [GOALS[name] for name in args.only] if args.only else [
        goal for goal in GOALS.values() if args.device in goal.devices
    ]
    if args.list:
        for goal in goals:
            print(f'{goal.name:32} {goal.words}')
        return
    # How each parameter was initialised is of no interest here.
    MMLogger.get_current_instance().setLevel('WARNING')
    rounds, hsg_images = _QUICK if args.quick else _FULL
    settings = Settings(rounds=rounds, hsg_images=hsg_images,
                        threads=args.threads, device=args.device)
    machine = describe(args.device)
    start = time.perf_counter()
    results = measure(goals, settings)
    minutes = (time.perf_counter() - start) / 60
    text = '\n\n'.join([
        f'{in_words({**machine, "threads": args.threads})}; '
        f'{"quick, " if args.quick else ""}{minutes:.1f} minutes',
        to_markdown(results)
    ])
    print(text)
    if args.out is not None:
        write_json(args.out, dict(
            machine=machine, settings=settings._asdict(), results=results))
    if args.update_readme:
        replace_section(
            README, 'goals on '
            f'{"the CPU" if args.device == "cpu" else "CUDA"}', text)


if __name__ == '__main__':
    sys.exit(run_command(main))
