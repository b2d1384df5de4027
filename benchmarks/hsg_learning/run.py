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
from benchmarks.common.tools import cosine_behind_warm_up, train
from benchmarks.hsg_learning.measure import make_scenes, measure
from benchmarks.hsg_learning.models import colour_model, load_model
from benchmarks.hsg_learning.tables import to_markdown
from benchmarks.hsg_learning.views import make_views
from mmhierseg._base.errors import UserError, run_command
from mmhierseg.datasets.scenes import GENERATOR_VERSION, Scene
from mmhierseg.models import HSG

CONFIGS = Path(__file__).resolve().parent / 'configs'
MODELS = ('hsg', 'cosegmented', 'segsort')
SCENE_OPTIONS = ('size', 'categories', 'max_others', 'typical_colors')


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition('\n')[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--models', nargs='+', choices=MODELS, default=MODELS)
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--pairs', type=int, default=3200,
                        help='pairs of views to train on')
    parser.add_argument('--iters', type=int, default=900,
                        help='iterations of training, of 16 pairs each')
    parser.add_argument('--images', nargs=2, type=int, default=[200, 150],
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
            raise UserError(f'--{name} must be at least {least}, got '
                               f'{getattr(args, name)}')
    if min(args.images) < 2:
        raise UserError('--images must be at least 2 each, got '
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
    cfg = load_config('hsg')
    make_views(args.work_dir / 'views', args.pairs, cfg)
    torch.set_num_threads(1)
    MMLogger.get_current_instance().setLevel('WARNING')
    options = {name: cfg.scenes[name] for name in SCENE_OPTIONS}
    scenes = [
        make_scenes(number, test, options)
        for number, test in zip(args.images, (False, True))
    ]
    results: Dict[str, list] = dict(colours=[
        measured('colours', partial(colour_model, cfg), scenes, args)])
    runs = [(model, seed) for seed in args.seeds for model in args.models]
    with ThreadPoolExecutor(args.jobs) as pool:
        stages = list(
            pool.map(lambda run: experiment(*run, scenes, args), runs))
    for run in stages:
        for name, metrics in run.items():
            results.setdefault(name, []).append(metrics)
    machine = describe('cpu')
    text = f'{in_words(machine)}\n\n{to_markdown(results)}'
    write_json(args.work_dir / 'hsg_learning.json',
               dict(machine=machine, results=results))
    print(text)
    if args.update_readme:
        replace_section(README, 'learning of HSG', text)


def experiment(model: str, seed: int, scenes: List[List[Scene]],
               args: argparse.Namespace) -> Dict[str, Dict[str, float]]:
    """Train a model and measure it; HSG before that, too.

    Args:
        model (str): One of ``MODELS``.
        seed (int): Of its initialisation and of the order of the views.
        scenes (List[List[Scene]]): To look segments up in, and to test.
        args (argparse.Namespace): The command line.

    Returns:
        Dict[str, Dict[str, float]]: By model and stage, what
        :func:`measure` gave.

    Raises:
        UserError: If the training fails.
    """
    views = f'train_dataloader.dataset.data_root={args.work_dir / "views"}'
    checkpoint = train(
        CONFIGS / f'{model}.py', args.work_dir / f'{model}_seed{seed}', seed,
        args.iters, [*cosine_behind_warm_up(args.iters), views])
    stages = dict(trained=checkpoint)
    # Of an initialisation, features are of no loss.
    if model == 'hsg':
        stages['initialised'] = None
    cfg = load_config(model)
    return {
        f'{model}/{stage}': measured(
            f'{model}_seed{seed}_{stage}',
            partial(load_model, cfg, seed, weights), scenes, args)
        for stage, weights in stages.items()
    }


def measured(name: str, build: Callable[[], HSG], scenes: List[List[Scene]],
             args: argparse.Namespace) -> Dict[str, float]:
    """Measure a model, if it was not measured already.

    Args:
        name (str): Of the file with what was measured.
        build (Callable): Makes the model.
        scenes (List[List[Scene]]): To look segments up in, and to test.
        args (argparse.Namespace): The command line.

    Returns:
        Dict[str, float]: What :func:`measure` gave.
    """
    path = args.work_dir / 'measured' / f'{name}.json'
    if not path.exists():
        print(f'{name}: measuring', flush=True)
        write_json(path, measure(build(), *scenes))
    return json.loads(path.read_text())


def load_config(model: str) -> Config:
    """The config of one of ``MODELS``."""
    return Config.fromfile(CONFIGS / f'{model}.py')


if __name__ == '__main__':
    sys.exit(run_command(main))
