"""Images per second of the pipeline that MoCo v3 trains from.

Decoding, two views, augmentation, superpixels and normalisation, with
superpixels of SEEDS in the loader, of TorchSLIC there, and on the device::

    python benchmarks/pipeline/run.py

What the numbers mean and what they were last: ``benchmarks/README.md``.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Dict, List, Optional

import torch

# The benchmarks are not installed, and this file may be run from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import mmhierseg  # noqa: F401 - repairs the installed stack
from benchmarks.common.machine import describe, in_words
from benchmarks.common.report import README, replace_section, write_json
from benchmarks.common.timing import take_turns
from benchmarks.pipeline.photographs import write_photographs
from benchmarks.pipeline.tables import parts_table, speed_table
from benchmarks.pipeline.work import PIPELINES, Pass, time_parts
from mmhierseg._base.errors import UserError, run_command


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition('\n')[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--workers', nargs='+', type=int, default=[0],
                        help='processes of the loader; 0 is this one. With '
                        'several numbers, all of them are measured')
    parser.add_argument('--data', type=Path,
                        help='folder with images below train/, instead of '
                        'photographs of scikit-image')
    parser.add_argument('--images', type=int, default=56,
                        help='photographs of a pass')
    parser.add_argument('--batch-size', type=int, default=4)
    parser.add_argument('--img-size', type=int, default=224,
                        help='height and width of a view')
    parser.add_argument('--device', choices=['cpu', 'cuda'], default='cpu',
                        help='where the data preprocessor works')
    parser.add_argument('--threads', type=int, default=1,
                        help='threads of PyTorch on the CPU')
    parser.add_argument('--repeats', type=int, default=5, help='rounds')
    parser.add_argument('--out', type=Path, help='JSON file to write')
    parser.add_argument('--update-readme', action='store_true',
                        help='put the tables into benchmarks/README.md')
    args = parser.parse_args(argv)
    for name, least in (('images', 1), ('batch_size', 1), ('img_size', 32),
                        ('threads', 1), ('repeats', 1)):
        if getattr(args, name) < least:
            raise UserError(f'--{name.replace("_", "-")} must be at least '
                               f'{least}, got {getattr(args, name)}')
    if min(args.workers) < 0:
        raise UserError('--workers must be at least 0, got '
                           f'{min(args.workers)}')
    if args.device == 'cuda' and not torch.cuda.is_available():
        raise UserError('--device cuda: PyTorch finds no GPU here; take '
                           '--device cpu')
    return args


def measure(workers: int, folder: Path,
            args: argparse.Namespace) -> Dict[str, dict]:
    """Time passes of all pipelines in turns.

    Args:
        workers (int): Processes of the loader.
        folder (Path): With images below ``train``.
        args (argparse.Namespace): The command line.

    Returns:
        Dict[str, dict]: By pipeline, ``images`` of a pass, its ``seconds``
        in each round and, in one process, ``parts``: seconds of each step.
    """
    passes = {
        name: Pass(name, folder, args.batch_size, workers, args.device,
                   args.img_size)
        for name in PIPELINES
    }
    seconds = take_turns(
        passes, args.repeats, warmup=1, min_seconds=0., device=args.device,
        progress=lambda message: print(
            f'{workers} workers: {message}', file=sys.stderr, flush=True))
    return {
        name: dict(
            images=len(one),
            seconds=seconds[name],
            parts=None if workers else time_parts(one))
        for name, one in passes.items()
    }


def to_markdown(report: dict) -> str:
    """Write a report down for people.

    Args:
        report (dict): ``machine``, ``settings`` and ``results`` by the number
            of workers.

    Returns:
        str: Markdown: the conditions and the tables.
    """
    settings, results = report['settings'], report['results']
    text = [
        f'{in_words(report["machine"])}; {settings["images"]} images a pass, '
        f'views of {settings["img_size"]} x {settings["img_size"]}, batches '
        f'of {settings["batch_size"]}; {settings["repeats"]} rounds',
        speed_table(results)
    ]
    if '0' in results:
        text.append(parts_table(results['0']))
    return '\n\n'.join(text)


def run(args: argparse.Namespace) -> dict:
    """Measure; the report, as it is written to the JSON file."""
    torch.set_num_threads(args.threads)
    machine = describe(args.device)
    with tempfile.TemporaryDirectory() as folder:
        if args.data is None:
            write_photographs(Path(folder), args.images)
        results = {
            str(number): measure(number, args.data or Path(folder), args)
            for number in args.workers
        }
    settings = {name: getattr(args, name)
                for name in ('images', 'batch_size', 'img_size', 'repeats')}
    return dict(machine=machine, settings=settings, results=results)


def main(argv: Optional[List[str]] = None) -> None:
    """Measure and print the tables."""
    args = parse_args(argv)
    report = run(args)
    text = to_markdown(report)
    print(text)
    if args.out is not None:
        write_json(args.out, report)
    if args.update_readme:
        replace_section(
            README, 'pipeline on '
            f'{"the CPU" if args.device == "cpu" else "CUDA"}', text)


if __name__ == '__main__':
    sys.exit(run_command(main))
