"""CAST and its baselines in segmentation, tuned and before any tuning.

Pre-trains small models with MoCo v3 on part-whole scenes, tunes them with
labels and looks their segments up without; prints one table::

    python benchmarks/finetuning/run.py

What the numbers mean and what they were last: ``benchmarks/README.md``. What
was trained or tested already is not done again.
"""

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Dict, List, Optional

import torch

# The benchmarks are not installed, and this file may be run from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import mmhierseg  # noqa: F401 - repairs the installed stack
from benchmarks.common.machine import describe, in_words
from benchmarks.common.report import README, replace_section, write_json
from benchmarks.common.settings import hash_configs, refuse_other_settings
from benchmarks.common.tools import (
    cosine_behind_warm_up,
    run_tool,
    train,
)
from benchmarks.finetuning.tables import to_markdown
from benchmarks.finetuning.vit_weights import to_mmseg_vit
from benchmarks.learning.views import make_views
from mmhierseg._base.errors import UserError, run_command
from mmhierseg.checkpoints import read_checkpoint, read_safely
from mmhierseg.datasets.scenes import GENERATOR_VERSION

CONFIGS = Path(__file__).resolve().parent / 'configs'
MODELS = ('vit', 'vit-superpixel', 'cast-grid', 'cast')
STAGES = ('pretrain', 'finetune', 'retrieve')
VIEWS = dict(
    type='mmhierseg.PartWholeScenes',
    size=(128, 128),
    max_others=1,
    typical_colors=0.75)


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition('\n')[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--models', nargs='+', choices=MODELS, default=MODELS)
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--pairs', type=int, default=8192,
                        help='pairs of views to pre-train on')
    parser.add_argument('--iters', nargs=2, type=int, default=[512, 256],
                        metavar=('PRETRAIN', 'FINETUNE'),
                        help='iterations of 64 pairs, and of 32 images')
    parser.add_argument('--images', nargs=2, type=int, default=[1000, 400],
                        metavar=('BANK', 'TEST'),
                        help='images to look segments up in, and to test')
    parser.add_argument('--work-dir', type=Path,
                        default=Path('work_dirs/finetuning'))
    parser.add_argument('--jobs', type=int, default=1,
                        help='models that are dealt with at a time')
    parser.add_argument('--update-readme', action='store_true',
                        help='put the table into benchmarks/README.md')
    args = parser.parse_args(argv)
    for name, least in (('pairs', 64), ('jobs', 1)):
        if getattr(args, name) < least:
            raise UserError(f'--{name} must be at least {least}, got '
                               f'{getattr(args, name)}')
    for name, least in (('iters', 8), ('images', 2)):
        if min(getattr(args, name)) < least:
            raise UserError(f'--{name} must be at least {least} each, got '
                               f'{getattr(args, name)}')
    return args


def main(argv: Optional[List[str]] = None) -> None:
    """Train and test all models, and print the table."""
    args = parse_args(argv)
    paths = [CONFIGS / stage / f'{m}.py' for stage in STAGES for m in MODELS]
    refuse_other_settings(
        args.work_dir,
        dict(
            pairs=args.pairs,
            iters=args.iters,
            images=args.images,
            views=VIEWS,
            generator_version=GENERATOR_VERSION,
            configs=hash_configs(paths, CONFIGS)))
    make_views(args.work_dir / 'views', args.pairs, VIEWS)
    runs = [(model, seed) for seed in args.seeds for model in args.models]
    with ThreadPoolExecutor(args.jobs) as pool:
        metrics = list(pool.map(lambda run: experiment(*run, args), runs))
    results: Dict[str, list] = {}
    for (model, _), run in zip(runs, metrics):
        results.setdefault(model, []).append(run)
    machine = describe('cpu')
    text = f'{in_words(machine)}\n\n{to_markdown(results)}'
    write_json(args.work_dir / 'finetuning.json',
               dict(machine=machine, results=results))
    print(text)
    if args.update_readme:
        replace_section(README, 'fine-tuning', text)


def experiment(model: str, seed: int,
               args: argparse.Namespace) -> Dict[str, Dict[str, float]]:
    """Pre-train a model, look its segments up, tune it and test it.

    Args:
        model (str): One of ``MODELS``.
        seed (int): Of its initialisation and of the order of the images.
        args (argparse.Namespace): The command line.

    Returns:
        Dict[str, Dict[str, float]]: The metrics of 'retrieve' and 'finetune'.

    Raises:
        UserError: If a tool fails.
    """
    pretrained = pretrain(model, seed, args)
    bank, test = args.images
    tested = (f'test_dataloader.dataset.num_scenes={test}', )
    retrieved = metrics_of(
        model, 'retrieve', pretrained, _folder(model, seed, args),
        (*tested, f'custom_hooks.0.dataloader.dataset.num_scenes={bank}'))
    tuned = finetune(model, seed, pretrained, args)
    return dict(
        retrieve=retrieved,
        finetune=metrics_of(model, 'finetune', tuned,
                            _folder(model, seed, args), tested))


def pretrain(model: str, seed: int, args: argparse.Namespace) -> Path:
    """Pre-train a model, if that was not done already; its checkpoint."""
    views = f'train_dataloader.dataset.data_root={args.work_dir / "views"}'
    return train(CONFIGS / 'pretrain' / f'{model}.py',
                 _folder(model, seed, args) / 'pretrain', seed, args.iters[0],
                 [*cosine_behind_warm_up(args.iters[0]), views])


def finetune(model: str, seed: int, pretrained: Path,
             args: argparse.Namespace) -> Path:
    """Tune a model, if that was not done already; its checkpoint."""
    weights, prefix = pretrained, 'backbone.'
    if model == 'vit':
        weights = pretrained.with_name('mmseg_vit.pth')
        read_safely()
        state = read_checkpoint(str(pretrained))['state_dict']
        torch.save(
            to_mmseg_vit({
                name[len(prefix):]: value
                for name, value in state.items() if name.startswith(prefix)
            }), weights)
    options = ['model.backbone.init_cfg.type=Pretrained',
               f'model.backbone.init_cfg.checkpoint={weights}']
    if model != 'vit':
        options.append(f'model.backbone.init_cfg.prefix={prefix}')
    return train(CONFIGS / 'finetune' / f'{model}.py',
                 _folder(model, seed, args) / 'finetune', seed, args.iters[1],
                 options)


def metrics_of(model: str, stage: str, checkpoint: Path, folder: Path,
               options: tuple) -> Dict[str, float]:
    """Test a model by ``tools/test.py``, if it was not tested already.

    Args:
        model (str): One of ``MODELS``.
        stage (str): 'retrieve' or 'finetune'.
        checkpoint (Path): Its weights.
        folder (Path): Of the model and seed.
        options (tuple): Changes to the config.

    Returns:
        Dict[str, float]: What the record of the test says.

    Raises:
        UserError: If it fails.
    """
    folder = folder / f'{stage}_test'
    if not list(folder.glob('*.json')):
        run_tool('test.py', CONFIGS / stage / f'{model}.py', checkpoint,
                 '--work-dir', folder, '--cfg-options', *options,
                 log=folder / 'log.txt')
    newest = max(folder.glob('*.json'))
    return json.loads(newest.read_text())['metrics']


def _folder(model: str, seed: int, args: argparse.Namespace) -> Path:
    return args.work_dir / f'{model}_seed{seed}'


if __name__ == '__main__':
    sys.exit(run_command(main))
