"""What CAST learns without labels in minutes, against its baselines.

Pre-trains small models with MoCo v3 on part-whole scenes, on the same views,
and measures what they have learned; prints one table::

    python benchmarks/learning/run.py

What the numbers mean and what they were last: ``benchmarks/README.md``. What
was trained or measured already is not done again.
"""

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Dict, List, Optional

import torch
from mmengine.config import Config

# The benchmarks are not installed, and this file may be run from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import mmhierseg  # noqa: F401 - repairs the installed stack
from benchmarks.common.machine import describe, in_words
from benchmarks.common.report import README, replace_section, write_json
from benchmarks.common.settings import hash_configs, refuse_other_settings
from benchmarks.common.tools import cosine_behind_warm_up, train
from benchmarks.learning.measure import (
    Images,
    load_backbone,
    make_photographs,
    make_scenes,
    measure,
    measure_colours,
)
from benchmarks.learning.tables import to_markdown
from benchmarks.learning.views import make_views
from mmhierseg._base.errors import UserError, run_command
from mmhierseg.datasets.scenes import GENERATOR_VERSION

CONFIGS = Path(__file__).resolve().parent / 'configs'
MODELS = ('cast', 'vit', 'vit-superpixel', 'cast-grid')
SIZES = (32, 16, 8, 4)
SIDE = 128
SCENES = dict(size=(SIDE, SIDE), max_others=1, typical_colors=0.75)
DATA = dict(
    scenes=dict(type='mmhierseg.PartWholeScenes', **SCENES),
    photographs=dict(type='mmhierseg.PhotographCrops', size=(SIDE, SIDE)))


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition('\n')[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--models', nargs='+', choices=MODELS, default=MODELS)
    parser.add_argument('--data', choices=DATA, default='scenes',
                        help='what to learn from and to be tested on')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--pairs', type=int, default=8192,
                        help='pairs of views to train on')
    parser.add_argument('--iters', type=int, default=512,
                        help='iterations of training')
    parser.add_argument('--images', nargs=2, type=int, default=[3000, 600],
                        metavar=('PROBE', 'TEST'),
                        help='labelled images to learn the probe and to test')
    parser.add_argument('--work-dir', type=Path,
                        help='folder (default: work_dirs/learning_DATA)')
    parser.add_argument('--jobs', type=int, default=1,
                        help='models that are trained at a time')
    parser.add_argument('--update-readme', action='store_true',
                        help='put the table into benchmarks/README.md')
    args = parser.parse_args(argv)
    for name, least in (('pairs', 64), ('iters', 8), ('jobs', 1)):
        if getattr(args, name) < least:
            raise UserError(f'--{name} must be at least {least}, got '
                               f'{getattr(args, name)}')
    if min(args.images) < 56:
        raise UserError('--images must be at least 56 each, four of every '
                           f'category, got {args.images}')
    if args.work_dir is None:
        args.work_dir = Path('work_dirs') / f'learning_{args.data}'
    return args


def main(argv: Optional[List[str]] = None) -> None:
    """Train and measure all models, and print the table."""
    args = parse_args(argv)
    check_settings(args)
    make_views(args.work_dir / 'views', args.pairs, DATA[args.data])
    runs = [(model, seed) for seed in args.seeds for model in args.models]
    with ThreadPoolExecutor(args.jobs) as pool:
        checkpoints = list(pool.map(lambda run: pretrain(*run, args), runs))
    training, test = (
        make_images(args.data, num, test)
        for num, test in zip(args.images, (False, True)))
    results: Dict[str, list] = dict(colours=[measure_colours(test, SIZES)])
    for (model, seed), trained in zip(runs, checkpoints):
        for stage, weights in (('initialised', None), ('trained', trained)):
            results.setdefault(f'{model}/{stage}', []).append(
                measured(model, seed, stage, weights, args, training, test))
    machine = describe('cpu')
    text = f'{in_words(machine)}\n\n{to_markdown(results, SIZES)}'
    write_json(args.work_dir / 'learning.json',
               dict(machine=machine, results=results))
    print(text)
    if args.update_readme:
        replace_section(README, f'learning from {args.data}', text)


def check_settings(args: argparse.Namespace) -> None:
    """Refuse to mix the results of two settings in one folder.

    Args:
        args (argparse.Namespace): The command line.

    Raises:
        UserError: If the folder holds results of other settings.
    """
    refuse_other_settings(
        args.work_dir,
        dict(
            data=DATA[args.data],
            pairs=args.pairs,
            iters=args.iters,
            images=args.images,
            generator_version=GENERATOR_VERSION,
            configs=hash_configs((CONFIGS / f'{model}.py'
                                  for model in MODELS), CONFIGS)))


def make_images(data: str, num: int, test: bool) -> Images:
    """Make images with labels, to learn the probe from or to test."""
    if data == 'scenes':
        return make_scenes(num, test, SCENES)
    return make_photographs(num, test, SIDE)


def pretrain(model: str, seed: int, args: argparse.Namespace) -> Path:
    """Pre-train a model, if that was not done already.

    Args:
        model (str): Name of a config.
        seed (int): Its seed.
        args (argparse.Namespace): The command line.

    Returns:
        Path: Its checkpoint.

    Raises:
        UserError: If the training fails.
    """
    views = f'train_dataloader.dataset.data_root={args.work_dir / "views"}'
    return train(CONFIGS / f'{model}.py', _folder(model, seed, args), seed,
                 args.iters, [*cosine_behind_warm_up(args.iters), views])


def measured(model: str, seed: int, stage: str, weights: Optional[Path],
             args: argparse.Namespace, training: Images,
             test: Images) -> Dict[str, float]:
    """Measure a model, if it was not measured already."""
    path = _folder(model, seed, args) / f'{stage}.json'
    if path.exists():
        return json.loads(path.read_text())
    print(f'{model}, seed {seed}, {stage}: measuring')
    cfg = Config.fromfile(CONFIGS / f'{model}.py')
    backbone = load_backbone(cfg, seed, weights and str(weights))
    mean, std = (
        torch.tensor(cfg.model.data_preprocessor[key]).view(-1, 1, 1)
        for key in ('mean', 'std'))
    result = measure(backbone, lambda images: (images - mean) / std, training,
                     test, SIZES)
    write_json(path, result)
    return result


def _folder(model: str, seed: int, args: argparse.Namespace) -> Path:
    return args.work_dir / f'{model}_seed{seed}'


if __name__ == '__main__':
    sys.exit(run_command(main))
