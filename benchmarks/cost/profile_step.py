"""Where the time of a training step of CAST goes.

Prints a table of its parts, forward and backward together, with how far each
is from the least that its arithmetic, or its memory traffic, would take::

    python benchmarks/cost/profile_step.py --threads 1

What it says is on ``docs/speed.md``.
"""

import argparse
import sys
from pathlib import Path
from typing import Dict, List, Optional

import torch

# The benchmarks are not installed, and this file may be run from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmengine.logging import MMLogger

import mmhierseg  # noqa: F401 - repairs the installed stack
from benchmarks.common.machine import describe, in_words
from benchmarks.common.report import markdown_table, write_json
from benchmarks.cost.floor import Floor, measure_machine
from benchmarks.cost.models import CONTENDERS
from benchmarks.cost.parts import count_operations, label_parts, profile_parts
from benchmarks.cost.work import MODES, Step
from mmhierseg.utils.errors import CommandError, run_command

_HEADER = ('part', 'ms forward', 'ms backward', 'share, %', 'GFLOP',
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
    parser.add_argument('--out', type=Path, help='JSON file to write')
    args = parser.parse_args(argv)
    for name in ('threads', 'batch_size', 'img_size', 'repeats'):
        if getattr(args, name) < 1:
            raise CommandError(f'--{name.replace("_", "-")} must be at least '
                               f'1, got {getattr(args, name)}')
    if args.device == 'cuda' and not torch.cuda.is_available():
        raise CommandError('--device cuda: PyTorch finds no GPU here; take '
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


def to_markdown(report: dict) -> str:
    """Make the table, the longest part first.

    Args:
        report (dict): Of :func:`run`.

    Returns:
        str: Markdown. Parts without matrix products have no floor, but for
        the optimizer's, which is that of its memory traffic.
    """
    floor = Floor(**report['floor'])
    total = sum(sum(x) for x in report['seconds'].values())
    rows = []
    for name, (forward, backward) in sorted(
            report['seconds'].items(), key=lambda x: -sum(x[1])):
        operations = report['operations'].get(name, 0)
        least = operations / floor.operations
        if name == 'optimizer':
            least = floor.optimizer(report['parameters'])
        rows.append([
            name, f'{1e3 * forward:.1f}', f'{1e3 * backward:.1f}',
            f'{100 * (forward + backward) / total:.1f}',
            f'{operations / 1e9:.1f}' if operations else '–',
            f'{1e3 * least:.1f}' if least else '–',
            f'{(forward + backward) / least:.1f}' if least else '–'
        ])
    rows.append(['all', *(f'{1e3 * sum(x[i] for x in _values(report)):.1f}'
                          for i in range(2)), '100', '', '', ''])
    return '\n\n'.join([
        f'{in_words(report["machine"])}; {report["settings"]["model"]}, '
        f'{MODES[report["settings"]["mode"]].title}, '
        f'{report["settings"]["batch_size"]} images of '
        f'{report["settings"]["img_size"]} pixels; '
        f'{floor.operations / 1e9:.0f} GFLOP/s, '
        f'{floor.bandwidth / 1e9:.1f} GB/s',
        markdown_table(_HEADER, rows)
    ])


def _values(report: Dict[str, dict]) -> List[List[float]]:
    return list(report['seconds'].values())


def main(argv: Optional[List[str]] = None) -> None:
    """Profile and print the table."""
    args = parse_args(argv)
    report = run(args)
    print(to_markdown(report))
    if args.out is not None:
        write_json(args.out, report)


if __name__ == '__main__':
    sys.exit(run_command(main))
