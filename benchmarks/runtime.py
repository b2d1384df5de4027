"""Time and peak memory of CAST against MMPretrain's ViT and Swin.

Everything is measured in one run, in turns, on generated images::

    python benchmarks/cost/run.py --device cpu --threads 2 --out cost.json

What the numbers mean and what they were last: ``benchmarks/README.md``.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Dict, List, Optional, Sequence

import torch
from mmengine.logging import MMLogger

# The benchmarks are not installed, and this file may be run from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import mmhierseg  # noqa: F401 - repairs the installed stack
from benchmarks.common.machine import describe
from benchmarks.common.memory import peak_bytes
from benchmarks.common.report import (
    README,
    read_section,
    replace_section,
    write_json,
)
from benchmarks.common.timing import take_turns
from benchmarks.cost.models import CONTENDERS
from benchmarks.cost.tables import (
    Measurement,
    evaluate,
    to_markdown,
)
from benchmarks.cost.work import MODES, Step
from mmhierseg._base.errors import UserError, run_command

_QUICK = dict(models=['vit-s', 'cast-s', 'swin-t'], repeats=3, batch_size=4)
_FULL = dict(models=list(CONTENDERS), repeats=10, batch_size=8)


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description='Measure time and peak memory of CAST against ViT and '
        'Swin, with ratios to the ViT of the same size')
    parser.add_argument(
        '--models', nargs='+', choices=CONTENDERS, metavar='MODEL',
        help=f'some of {", ".join(CONTENDERS)} (default: all; ratios need '
        'the ViT of the same size)')
    parser.add_argument(
        '--modes', nargs='+', choices=MODES, metavar='MODE',
        help=f'some of {", ".join(MODES)} (default: all, but on the CPU '
        'training in fp32 only, because MMEngine has no other)')
    parser.add_argument(
        '--device', choices=['cpu', 'cuda'], default='cpu',
        help='default: cpu')
    parser.add_argument(
        '--threads', type=int,
        help='threads of PyTorch on the CPU (default: those that it takes)')
    parser.add_argument(
        '--batch-size', type=int, help='images in a step (default: 8)')
    parser.add_argument(
        '--img-size', type=int, default=224,
        help='height and width, a multiple of 32 (default: 224)')
    parser.add_argument(
        '--repeats', type=int, help='rounds (default: 10)')
    parser.add_argument(
        '--quick', action='store_true',
        help='another default: {}, {repeats} rounds, batches of '
        '{batch_size}'.format(', '.join(_QUICK['models']), **_QUICK))
    parser.add_argument('--out', type=Path, help='JSON file to write')
    parser.add_argument(
        '--update-readme', action='store_true',
        help='put the table into benchmarks/README.md')
    args = parser.parse_args(argv)
    for name, value in (_QUICK if args.quick else _FULL).items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    _check(parser, args)
    return args


def _check(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuse what cannot work before anything is measured."""
    for name in ('threads', 'batch_size', 'img_size', 'repeats'):
        value = getattr(args, name)
        if value is not None and value < 1:
            parser.error(f'--{name.replace("_", "-")} must be at least 1, '
                         f'got {value}')
    if args.img_size % 32:
        parser.error('--img-size must be a multiple of 32, got '
                     f'{args.img_size}')
    if args.device == 'cuda' and not torch.cuda.is_available():
        parser.error('--device cuda: PyTorch finds no GPU here; take '
                     '--device cpu')
    gpu_only = ['training-bf16', 'pretraining-bf16']
    if args.modes is None:
        args.modes = [mode for mode in MODES
                      if args.device == 'cuda' or mode not in gpu_only]
    if args.device == 'cpu' and set(args.modes) & set(gpu_only):
        parser.error(f'--modes {" ".join(gpu_only)}: MMEngine trains in '
                     'mixed precision on a GPU only; add --device cuda')
    for name in ('models', 'modes'):
        setattr(args, name, list(dict.fromkeys(getattr(args, name))))
    if args.batch_size == 1 and any(
            MODES[mode].task == 'pretraining' for mode in args.modes):
        parser.error('--batch-size must be at least 2 for MoCo v3, whose '
                     'batch norm needs two images; see --modes')


def check_outputs(args: argparse.Namespace) -> None:
    """Try whether results can be written, before they are there.

    Raises:
        UserError: If not.
    """
    try:
        if args.out is not None:
            if args.out.is_dir():
                raise IsADirectoryError(f'{args.out} is a folder')
            args.out.parent.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=args.out.parent).close()
    except OSError as error:
        raise UserError(f'--out: {error}') from error
    if args.update_readme:
        try:
            read_section(README, _section(args))
            if not os.access(README, os.W_OK):
                raise PermissionError(f'{README} cannot be written')
        except (OSError, ValueError) as error:
            raise UserError(f'--update-readme: {error}') from error


def measure(mode: str, args: argparse.Namespace) -> List[Measurement]:
    """Measure all models in one mode, in turns."""
    steps: Dict[tuple, Step] = {}
    for name in args.models:
        takes = CONTENDERS[name].takes_superpixels
        for superpixels in ('given', 'made') if takes else ('none', ):
            steps[name, superpixels] = Step(
                CONTENDERS[name], MODES[mode], args.batch_size,
                args.img_size, superpixels == 'made', args.device)
    calls = {
        name + (', superpixels made' if superpixels == 'made' else ''): step
        for (name, superpixels), step in steps.items()
    }
    seconds = take_turns(
        calls, args.repeats, device=args.device,
        progress=lambda message: _say(f'{mode}: {message}'))
    return [
        Measurement(mode, name, superpixels, seconds[call], step.held_bytes(),
                    peak_bytes(step, args.device),
                    step.parameters_of_backbone())
        for ((name, superpixels), step), call in zip(steps.items(), calls)
    ]


def run(args: argparse.Namespace) -> dict:
    """Measure; the report, as it is written to the JSON file.

    Raises:
        UserError: If memory does not suffice.
    """
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    # How each parameter was initialised is of no interest here.
    MMLogger.get_current_instance().setLevel('WARNING')
    machine = describe(args.device)
    measured = []
    try:
        for mode in args.modes:
            measured += measure(mode, args)
    except torch.OutOfMemoryError as error:
        raise UserError('not enough memory on the GPU for all models at '
                           'once: take a smaller --batch-size or fewer '
                           f'--models ({error})') from error
    settings = {name: getattr(args, name) for name in (
        'models', 'modes', 'batch_size', 'img_size', 'repeats', 'quick')}
    return dict(
        machine=machine,
        settings=settings,
        results=evaluate(measured, args.batch_size))


def main() -> None:
    """Measure and write, or say in one message why not."""
    args = parse_args()
    check_outputs(args)
    report = run(args)
    text = to_markdown(report)
    print(text)
    if args.out is not None:
        write_json(args.out, report)
        _say(f'written: {args.out}')
    if args.update_readme:
        replace_section(README, _section(args), text)
        _say(f'written: {README}')


def _section(args: argparse.Namespace) -> str:
    return f'cost on {"the CPU" if args.device == "cpu" else "CUDA"}'


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == '__main__':
    sys.exit(run_command(main))
