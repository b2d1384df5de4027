#!/usr/bin/env python
"""Run a benchmark, print its tables and, if asked to, write them down.

    python benchmarks/run.py goals --quick       # minutes on two cores
    python benchmarks/run.py superpixels --threads 1 --update-readme
    python benchmarks/run.py NAME --help

The benchmarks and their latest results: ``benchmarks/README.md``.
"""

import argparse
import importlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

# Benchmarks and tools are not installed; this file may be run from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(1, f'{sys.path[0]}/tools/analysis_tools')
sys.path.insert(2, f'{sys.path[0]}/tools/dataset_converters')

from mmengine.logging import MMLogger

import mmhierseg  # noqa: F401 - repairs the installed stack
from benchmarks.report import replace_section, write_json
from mmhierseg._base.errors import UserError, run_command
from mmhierseg.cli.records import describe, in_words

ROOT = Path(__file__).resolve().parents[1]
#: Modules of this folder, and the page that their tables are on.
README = ROOT / 'benchmarks/README.md'
BENCHMARKS = dict(
    goals=README,
    superpixels=README,
    runtime=README,
    scaling=README,
    segmentation=README,
    pipeline=README,
    pictures=README,
    hsg=README,
    retrieval=README,
    segment_size=ROOT / 'docs/swap.md',
    real=README,
    profile_step=ROOT / 'docs/speed.md')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; each benchmark declares its own options."""
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('name', choices=BENCHMARKS, help='the benchmark')
    if not argv or argv[0] not in BENCHMARKS:
        parser.parse_args(argv)
    module = importlib.import_module(f'benchmarks.{argv[0]}')
    parser = argparse.ArgumentParser(
        prog=f'run.py {argv[0]}', description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--quick', action='store_true',
                        help='fewer rounds, smaller batches')
    parser.add_argument('--device', choices=['cpu', 'cuda'], default='cpu',
                        help='default: cpu')
    parser.add_argument('--threads', type=int,
                        default=torch.get_num_threads(),
                        help='threads of PyTorch on the CPU (default: '
                        '%(default)s)')
    parser.add_argument('--out', type=Path, help='JSON file to write')
    parser.add_argument('--update-readme', action='store_true',
                        help='put the tables into '
                        f'{BENCHMARKS[argv[0]].relative_to(ROOT)}')
    quick, least = {}, {'threads': 1}
    for option, settings in module.OPTIONS.items():
        settings = dict(settings)
        least[option] = settings.pop('least', 1)
        quick[option] = settings.pop('quick', settings.get('default'))
        if 'default' in settings:
            settings['help'] += f' (default: {settings["default"]})'
        parser.add_argument(f'--{option.replace("_", "-")}', **settings)
    if '--quick' in argv:
        parser.set_defaults(**quick)
    args = parser.parse_args(argv[1:])
    for option, bound in least.items():
        value = getattr(args, option)
        values = value if isinstance(value, list) else [value]
        if any(type(x) is int and x < bound for x in values):
            raise UserError(f'--{option.replace("_", "-")} must be at least '
                            f'{bound}, got {value}')
    if args.device == 'cuda' and not torch.cuda.is_available():
        raise UserError('--device cuda: PyTorch finds no GPU here; take '
                        '--device cpu')
    args.module, args.page = module, BENCHMARKS[argv[0]]
    args.place = 'the CPU' if args.device == 'cpu' else 'CUDA'
    args.progress = lambda message: print(message, file=sys.stderr,
                                          flush=True)
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    args = parse_args(argv)
    if args.out is not None and args.out.is_dir():
        raise UserError(f'--out must be a file, got the folder {args.out}')
    torch.set_num_threads(args.threads)
    # Kernels compile before they are timed, not in the background.
    os.environ.setdefault('MMHIERSEG_COMPILED', '1')
    # How each parameter was initialised does not matter here.
    MMLogger.get_current_instance().setLevel('WARNING')
    machine = describe(args.device)
    start = time.perf_counter()
    try:
        report = args.module.run(args)
    except torch.OutOfMemoryError as error:
        raise UserError('the memory of the GPU does not suffice: take '
                        f'smaller batches ({error})') from error
    minutes = (time.perf_counter() - start) / 60
    conditions = (f'{in_words(machine)}; {"quick, " if args.quick else ""}'
                  f'{minutes:.1f} minutes')
    for name, text in report.sections.items():
        text = f'{conditions}; {text}' if text[0] not in '|*' else (
            f'{conditions}\n\n{text}')
        print(text, end='\n\n')
        if args.update_readme:
            replace_section(args.page, name, text)
    if args.out is not None:
        write_json(args.out, dict(machine=machine, results=report.results))
    if report.missed:
        raise UserError(f'missed: {", ".join(report.missed)}')


if __name__ == '__main__':
    sys.exit(run_command(main))
