"""What HSG learns without labels in minutes, against SegSort's loss.

Trains small models on part-whole scenes, on the same views, and measures what
they have learned; prints one table::

    python benchmarks/hsg_learning/run.py

What the numbers mean and what they were last: ``benchmarks/README.md``. What
was trained or measured already is not done again.
"""

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Callable, Dict, List, Optional

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger

# The benchmarks are not installed, and this file may be run from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import mmhierseg  # noqa: F401 - repairs the installed stack
from benchmarks.common.machine import describe, in_words
from benchmarks.common.report import README, replace_section, write_json
from benchmarks.common.settings import hash_configs, refuse_other_settings
from benchmarks.common.tools import run_tool
from benchmarks.hsg_learning.measure import make_scenes, measure
from benchmarks.hsg_learning.models import colour_model, load_model
from benchmarks.hsg_learning.tables import to_markdown
from benchmarks.hsg_learning.views import make_views
from mmhierseg.datasets.scenes import GENERATOR_VERSION
from mmhierseg.models import HSG
from mmhierseg.utils.errors import CommandError, run_command

CONFIGS = Path(__file__).resolve().parent / 'configs'
MODELS = ('hsg', 'segsort')
_OPTIONS = ('size', 'categories', 'max_others', 'typical_colors')


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition('\n')[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--models', nargs='+', choices=MODELS, default=MODELS)
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--pairs', type=int, default=3200,
                        help='pairs of views to train on')
    parser.add_argument('--iters', type=int, default=800,
                        help='iterations of training, of 16 pairs each')
    parser.add_argument('--images', nargs=2, type=int, default=[400, 200],
                        metavar=('BANK', 'TEST'),
                        help='images to look segments up in, and to test')
    parser.add_argument('--work-dir', type=Path,
                        default=Path('work_dirs/hsg_learning'))
    parser.add_argument('--jobs', type=int, default=1,
                        help='models that are trained at a time')
    parser.add_argument('--update-readme', action='store_true',
                        help='put the table into benchmarks/README.md')
    args = parser.parse_args(argv)
    for name, least in (('pairs', 16), ('iters', 8), ('jobs', 1)):
        if getattr(args, name) < least:
            raise CommandError(f'--{name} must be at least {least}, got '
                               f'{getattr(args, name)}')
    if min(args.images) < 2:
        raise CommandError('--images must be at least 2 each, got '
                           f'{args.images}')
    return args


def main(argv: Optional[List[str]] = None) -> None:
    """Train and measure all models, and print the table."""
    args = parse_args(argv)
    refuse_other_settings(
        args.work_dir,
        dict(
            pairs=args.pairs,
            iters=args.iters,
            images=args.images,
            generator_version=GENERATOR_VERSION,
            configs=hash_configs((CONFIGS / f'{model}.py'
                                  for model in MODELS), CONFIGS)))
    make_views(args.work_dir / 'views', args.pairs, _config('hsg'))
    runs = [(model, seed) for seed in args.seeds for model in args.models]
    with ThreadPoolExecutor(args.jobs) as pool:
        list(pool.map(lambda run: train(*run, args), runs))
    results = measure_all(runs, args)
    machine = describe('cpu')
    text = f'{in_words(machine)}\n\n{to_markdown(results)}'
    write_json(args.work_dir / 'hsg_learning.json',
               dict(machine=machine, results=results))
    print(text)
    if args.update_readme:
        replace_section(README, 'learning of HSG', text)


def train(model: str, seed: int, args: argparse.Namespace) -> None:
    """Train a model by ``tools/train.py``, if it is not trained already.

    Args:
        model (str): Name of a config.
        seed (int): Its seed.
        args (argparse.Namespace): The command line.

    Raises:
        CommandError: If the training fails.
    """
    if _checkpoint(model, seed, args).exists():
        return
    folder = _folder(model, seed, args)
    log = folder / 'log.txt'
    print(f'{model}, seed {seed}: training; its log is {log}', flush=True)
    # As HSG has it, but for the warm-up, which is as short as all else.
    steps = [round(args.iters * part) for part in (0.32, 0.56, 0.75)]
    run_tool(
        'train.py', CONFIGS / f'{model}.py', '--resume', '--work-dir', folder,
        '--cfg-options', f'randomness.seed={seed}',
        f'train_cfg.max_iters={args.iters}',
        f'param_scheduler.0.end={args.iters // 8}',
        f'param_scheduler.1.milestones={steps}'.replace(' ', ''),
        f'default_hooks.checkpoint.interval={-(-args.iters // 4)}',
        f'train_dataloader.dataset.data_root={args.work_dir / "views"}',
        log=log)


def measure_all(runs: List[tuple],
                args: argparse.Namespace) -> Dict[str, List[dict]]:
    """Measure all models, as initialised and trained, and colours.

    Args:
        runs (List[tuple]): Models and seeds.
        args (argparse.Namespace): The command line.

    Returns:
        Dict[str, List[dict]]: By model and stage, what :func:`measure` gave,
        for each seed.
    """
    torch.set_num_threads(1)
    MMLogger.get_current_instance().setLevel('WARNING')
    cfg = _config('hsg')
    options = {name: cfg.scenes[name] for name in _OPTIONS}
    bank, test = (
        make_scenes(num, is_test, options)
        for num, is_test in zip(args.images, (False, True)))

    def measured(name: str, build: Callable[[], HSG]) -> dict:
        path = args.work_dir / 'measured' / f'{name}.json'
        if not path.exists():
            print(f'{name}: measuring', flush=True)
            write_json(path, measure(build(), bank, test))
        return json.loads(path.read_text())

    results: Dict[str, list] = dict(
        colours=[measured('colours', partial(colour_model, cfg))])
    for model, seed in runs:
        stages = dict(initialised=None, trained=_checkpoint(model, seed, args))
        for stage, checkpoint in stages.items():
            results.setdefault(f'{model}/{stage}', []).append(
                measured(
                    f'{model}_seed{seed}_{stage}',
                    partial(load_model, _config(model), seed, checkpoint)))
    return results


def _config(model: str) -> Config:
    return Config.fromfile(CONFIGS / f'{model}.py')


def _folder(model: str, seed: int, args: argparse.Namespace) -> Path:
    return args.work_dir / f'{model}_seed{seed}'


def _checkpoint(model: str, seed: int, args: argparse.Namespace) -> Path:
    return _folder(model, seed, args) / f'iter_{args.iters}.pth'


if __name__ == '__main__':
    sys.exit(run_command(main))
