"""Where the time of a training step of CAST goes.

Prints a table of its parts, forward and backward together, with how far each
is from the least that its arithmetic, or its memory traffic, would take::

    python benchmarks/cost/profile_step.py --threads 1 --update-docs

What it says is on ``docs/speed.md``, beside what it said before the work on
speed: ``profile_before.json``.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import List, Optional

import torch

# The benchmarks are not installed, and this file may be run from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmengine.logging import MMLogger

import mmhierseg  # noqa: F401 - repairs the installed stack
from benchmarks.common.machine import describe, in_words
from benchmarks.common.report import (
    markdown_table,
    replace_section,
    write_json,
)
from benchmarks.cost.floor import Floor, measure_machine
from benchmarks.cost.models import CONTENDERS
from benchmarks.cost.parts import count_operations, label_parts, profile_parts
from benchmarks.cost.work import MODES, Step
from mmhierseg._base.errors import UserError, run_command

_ROOT = Path(__file__).resolve().parents[2]
_PAGE, _BEFORE = _ROOT / 'docs/speed.md', Path(__file__).with_name(
    'profile_before.json')
_HEADER = ('part', 'before, ms', 'ms', 'of it backward', 'share, %', 'GFLOP',
           'floor, ms', 'time : floor')


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition('\n')[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--model', choices=['cast-s', 'cast-b', 'vit-s',
                                            'vit-b'], default='cast-s')
    parser.add_argument('--mode', choices=MODES, default='pretraining-fp32')
    parser.add_argument('--device', choices=['cpu', 'cuda'], default='cpu')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads(),
                        help='threads of PyTorch on the CPU')
    parser.add_argument('--batch-size', type=int, default=8)
    parser.add_argument('--img-size', type=int, default=224)
    parser.add_argument('--repeats', type=int, default=3,
                        help='steps that are recorded')
    parser.add_argument('--before', type=Path, default=_BEFORE,
                        help='JSON file of the profile to compare with; left '
                        'out where model, mode or sizes differ')
    parser.add_argument('--out', type=Path, help='JSON file to write')
    parser.add_argument('--update-docs', action='store_true',
                        help='put the table into docs/speed.md')
    args = parser.parse_args(argv)
    for name in ('threads', 'batch_size', 'img_size', 'repeats'):
        if getattr(args, name) < 1:
            raise UserError(f'--{name.replace("_", "-")} must be at least '
                               f'1, got {getattr(args, name)}')
    if args.device == 'cuda' and not torch.cuda.is_available():
        raise UserError('--device cuda: PyTorch finds no GPU here; take '
                           '--device cpu')
    return args


def run(args: argparse.Namespace) -> dict:
    """Profile; the report, as it is written to the JSON file."""
    torch.set_num_threads(args.threads)
    MMLogger.get_current_instance().setLevel('WARNING')
    machine = describe(args.device)
    contender = CONTENDERS[args.model]
    step = Step(contender, MODES[args.mode], args.batch_size, args.img_size,
                contender.takes_superpixels, args.device)
    step()
    with label_parts(step) as running:
        operations = count_operations(step, running)
        seconds = profile_parts(step, args.repeats, args.device)
    parameters = sum(x.numel() for x in step.model.parameters()
                     if x.requires_grad)
    settings = {name: getattr(args, name) for name in (
        'model', 'mode', 'batch_size', 'img_size', 'repeats')}
    return dict(
        machine=machine, settings=settings, seconds=seconds,
        operations=operations, parameters=parameters,
        floor=measure_machine(args.device)._asdict())


def to_markdown(report: dict, before: Optional[dict] = None) -> str:
    """Make the table, the longest part first.

    Args:
        report (dict): Of :func:`run`.
        before (dict, optional): Such a report of earlier. Defaults to None.

    Returns:
        str: Markdown. Parts without matrix products have no floor, but for
        the optimizer's, which is that of its memory traffic.
    """
    settings, floor = report['settings'], Floor(**report['floor'])
    seconds = {name: tuple(x) for name, x in report['seconds'].items()}
    earlier = {}
    if before is not None and all(before['settings'][x] == settings[x]
                                  for x in settings if x != 'repeats'):
        earlier = {name: sum(x) for name, x in before['seconds'].items()}
    total = sum(map(sum, seconds.values()))
    rows = []
    for name, (forward, backward) in sorted(seconds.items(),
                                            key=lambda x: -sum(x[1])):
        operations = report['operations'].get(name, 0)
        least = operations / floor.operations
        if name == 'optimizer':
            least = floor.optimizer(report['parameters'])
        spent = forward + backward
        rows.append([
            name, _number(1e3 * earlier.get(name, 0)), _number(1e3 * spent),
            _number(1e3 * backward), f'{100 * spent / total:.1f}',
            _number(operations / 1e9), _number(1e3 * least),
            _number(spent / least if least else 0.)
        ])
    rows.append([
        'all', _number(1e3 * sum(earlier.values())), _number(1e3 * total),
        _number(1e3 * sum(x for _, x in seconds.values())), '100', '', '', ''
    ])
    conditions = (
        f'{in_words(report["machine"])}; {settings["model"]}, '
        f'{MODES[settings["mode"]].title}, {settings["batch_size"]} images '
        f'of {settings["img_size"]} pixels; at most '
        f'{floor.operations / 1e9:.0f} GFLOP/s and '
        f'{floor.bandwidth / 1e9:.0f} GB/s here')
    if earlier:
        conditions += f'; before: commit {before["machine"]["commit"]}'
    return f'{conditions}\n\n{markdown_table(_HEADER, rows)}'


def _number(value: float) -> str:
    return f'{value:.1f}' if value else '–'


def main(argv: Optional[List[str]] = None) -> None:
    """Profile and print the table."""
    args = parse_args(argv)
    report = run(args)
    before = None
    if args.before.exists():
        before = json.loads(args.before.read_text())
    text = to_markdown(report, before)
    print(text)
    if args.out is not None:
        write_json(args.out, report)
    if args.update_docs:
        replace_section(_PAGE, 'profile of a step', text)


if __name__ == '__main__':
    sys.exit(run_command(main))
