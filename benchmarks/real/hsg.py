"""HSG and what it is compared with, trained on CamVid without labels.

Protocol: ``benchmarks/real.md``.
"""

import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from benchmarks.real.results import Results
from benchmarks.real.statistics import paired, summary
from benchmarks.real.trainings import ROOT, Training, run_trainings
from benchmarks.report import Report, markdown_table
from mmhierseg._base.errors import UserError
from mmhierseg.checkpoints import load_weights
from mmhierseg.evaluation.functional import covering, nf_covering
from mmhierseg.models.utils import SegmentKMeans
from mmhierseg.registry import MODELS
from mmhierseg.structures import restore_maps

_HSG, _FIRST = 'HSG', 'contrast, first stage'
_UNTRAINED = 'before training'
#: Names of rows, and their configs below ``configs/``.
_TRAINED = {
    _HSG: 'hsg/hsg_r18_camvid.py',
    'contrast, continued': 'hsg/hsg_r18_stage1-continued_camvid.py',
    _FIRST: 'hsg/hsg_r18_stage1_camvid.py',
    'SegSort': 'baselines/segsort_r18_camvid.py',
    'DenseCL': 'baselines/densecl_r18_camvid.py',
    'MoCo v2': 'baselines/moco_r18_camvid.py',
}
#: Rows whose second stage is longer, and faster: is the budget the reason?
_LONGER = {
    f'{_HSG}, longer': _HSG, 'contrast, continued longer':
    'contrast, continued'
}
_TRAINED |= {name: _TRAINED[base] for name, base in _LONGER.items()}
#: Five times the iterations, at twelve times the rate.
_LONG = {
    'train_cfg.max_iters': 270,
    'train_cfg.val_interval': 270,
    'optim_wrapper.optimizer.lr': 0.1,
    'param_scheduler.0.end': 30,
    'param_scheduler.1.milestones': [86, 151, 202],
}
#: Those that start from the first stage.
_SECOND = (_HSG, 'contrast, continued', *_LONGER)
#: What is tested, if it is not the config of the training.
_TESTED = {
    'DenseCL': 'baselines/densecl_r18_retrieval_camvid.py',
    'MoCo v2': 'baselines/moco_r18_retrieval_camvid.py',
    _UNTRAINED: 'hsg/hsg_r18_stage1_camvid.py',
}
_ROWS = (*_TRAINED, _UNTRAINED)
#: Groups of an image at HSG's two levels.
_GROUPS = (8, 4)
_LEVELS = ('segments', *(f'{number} groups' for number in _GROUPS))
_MEASURES: dict[str, Callable] = {
    'covering': covering,
    # Regions are numbered from 1; no number stands for "none".
    'NFCovering': lambda segments, regions: np.mean(
        [nf_covering(segments, one, -1) for one in regions]),
}


def run(args: Namespace) -> Report:
    """Train and measure what is missing."""
    rows = [name for name in _ROWS
            if not args.only or name.startswith(tuple(args.only))]
    results = Results.of('hsg', args)
    checkpoints = _train(rows, args)
    tasks: dict[str, Callable] = dict(camvid=_retrieve, bsds500=_cover)
    for seed in args.seeds:
        for name in rows:
            if not _has(name, seed, args):
                continue
            for task, function in tasks.items():
                key = f'{task}, {name}, seed {seed}'
                if key not in results:
                    args.progress(key)
                results.measure(key, function, name,
                                checkpoints.get((name, seed)), seed, args)
    return _report(results, rows, args.seeds)


def _has(name: str, seed: int, args: Namespace) -> bool:
    """Whether a row has a seed; the longer ones, only the first."""
    return name not in _LONGER or seed == args.seeds[0]


# ------------------------------------------------------------ trainings


def _train(rows: Sequence[str],
           args: Namespace) -> dict[tuple[str, int], Path]:
    """Last checkpoints of all that is trained, by row and seed."""
    rows = [name for name in _TRAINED if name in rows]
    first = [name for name in _TRAINED if name not in _SECOND and (
        name in rows or name == _FIRST and set(_SECOND) & set(rows))]
    if not first:
        return {}
    maps = _over_segment(args)
    found: dict[tuple[str, int], Path] = {}
    for names in (first, [name for name in _SECOND if name in rows]):
        trainings = {
            (name, seed): _training(name, seed, maps,
                                    found.get((_FIRST, seed)), args)
            for seed in args.seeds for name in names if _has(name, seed, args)
        }
        paths = run_trainings(list(trainings.values()), args)
        found.update({key: paths[one.name]
                      for key, one in trainings.items()})
    return found


def _over_segment(args: Namespace) -> Path:
    """Folder of the maps of CamVid's training frames."""
    maps = args.work_dir / 'camvid-oversegmentation'
    command = [
        sys.executable,
        'tools/dataset_converters/generate_oversegmentation.py',
        str((args.data / 'camvid/train').resolve()), str(maps.resolve()),
        '--workers', str(args.jobs), '--resume'
    ]
    if subprocess.run(command, cwd=ROOT).returncode:
        raise UserError(f'the maps of {args.data / "camvid/train"} could not '
                        'be made; the messages above say why')
    return maps.resolve()


def _training(name: str, seed: int, maps: Path, first_stage: Path | None,
              args: Namespace) -> Training:
    """``first_stage`` is the checkpoint that HSG's second one starts from."""
    dataset = 'train_dataloader.dataset'
    options = {
        'randomness.seed': seed,
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        f'{dataset}.data_root': (args.data / 'camvid').resolve(),
    }
    if name in _TESTED:
        if args.quick:
            options['train_cfg.max_epochs'] = 1
    else:
        options[f'{dataset}.pipeline.1.map_prefix'] = maps
        # Tests come later.
        options.update(val_cfg=None, val_dataloader=None, val_evaluator=None,
                       custom_hooks=[])
        if name in _LONGER:
            options.update(_LONG)
        if args.quick:
            options['train_cfg.max_iters'] = 2
    if args.quick:
        options[f'{dataset}.indices'] = 32
    if name in _SECOND:
        for part in ('backbone', 'neck'):
            options[f'model.{part}.init_cfg.checkpoint'] = (
                first_stage.resolve())
    stem = Path(_TRAINED[name]).stem + '-longer' * (name in _LONGER)
    folder = 'quick/' if args.quick else ''
    return Training(f'{folder}{stem}-seed{seed}',
                    f'configs/{_TRAINED[name]}', options)


# ---------------------------------------------------------------- tests


def _config(name: str, checkpoint: Path | None, seed: int,
            args: Namespace) -> Config:
    """Config of a test, with the data where they are."""
    cfg = Config.fromfile(
        ROOT / 'configs' / _TESTED.get(name, _TRAINED.get(name, '')))
    for loader in (cfg.test_dataloader, cfg.custom_hooks[0].dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.data_root = str(args.data / 'camvid')
        frames = sorted(
            (args.data / 'camvid' / loader.dataset.split).iterdir())
        loader.dataset.img_suffix = frames[0].suffix
        # They are of videos, where neighbours are alike.
        loader.dataset.indices = 8 if args.quick else list(
            range(0, len(frames), 3))
    if name in _SECOND:
        cfg.model.backbone.init_cfg = cfg.model.neck.init_cfg = None
    cfg.load_from = None if checkpoint is None else str(checkpoint)
    cfg.randomness = dict(seed=seed)
    cfg.work_dir = str(args.work_dir / 'tests')
    cfg.log_level = 'WARNING'
    for key in ('train_dataloader', 'train_cfg', 'optim_wrapper',
                'param_scheduler', 'val_dataloader', 'val_cfg',
                'val_evaluator'):
        cfg[key] = None
    return cfg


def _retrieve(name: str, checkpoint: Path | None, seed: int,
              args: Namespace) -> dict:
    """Retrieval on CamVid's test part, its training part in the bank."""
    cfg = _config(name, checkpoint, seed, args)
    runner = Runner.from_cfg(cfg)
    if checkpoint is None:
        # Without a checkpoint, a runner tests what constructors have drawn.
        runner.model.init_weights()
    metrics = runner.test()
    return {key: float(value) for key, value in metrics.items()}


def _cover(name: str, checkpoint: Path | None, seed: int,
           args: Namespace) -> dict:
    """Covering of human segmentations on BSDS500's test part, percent.

    Groups of segments are those of k-means of their prototypes; of HSG, its
    own as well.
    """
    cfg = _config(name, checkpoint, seed, args)
    with DefaultScope.overwrite_default_scope('mmseg'):
        torch.manual_seed(seed)
        model = MODELS.build(cfg.model)
        if checkpoint is None:
            model.init_weights()
        else:
            load_weights(model, str(checkpoint))
        model.eval()
        loader = Runner.build_dataloader(_human_segmentations(args))
        values: dict[str, list[float]] = {}
        for batch in loader:
            data = model.data_preprocessor(batch, False)
            sample, = data['data_samples']
            regions = sample.gt_segmentations.data.numpy()
            for level, labels in _levels(model, data).items():
                for measure, function in _MEASURES.items():
                    values.setdefault(f'{measure}, {level}', []).append(
                        100 * function(labels, regions))
    return {key: float(np.mean(some)) for key, some in values.items()}


def _human_segmentations(args: Namespace) -> dict:
    """The loader of BSDS500's test part, images as large as CamVid's."""
    loader = Config.fromfile(
        ROOT / 'configs/_base_/datasets/bsds500.py').test_dataloader
    loader.update(num_workers=0, persistent_workers=False)
    loader.dataset.data_root = str(args.data / 'BSDS500')
    loader.dataset.pipeline.insert(
        1, dict(type='mmhierseg.ResizeOwnSize', longer_side=320))
    if args.quick:
        loader.dataset.indices = 8
    return loader


@torch.no_grad()
def _levels(model: torch.nn.Module, data: dict) -> dict[str, np.ndarray]:
    """Label maps of an image by the names of their levels."""
    model.level = level = 0 if hasattr(model, 'neck') else 1
    found = model.segments(**data)
    maps = {_LEVELS[0]: found.maps}
    for number, name in zip(_GROUPS, _LEVELS[1:]):
        groups = SegmentKMeans(number)(found.prototypes, found.maps,
                                       ~found.known)
        maps[f'{name} by k-means'] = groups[:, found.maps[0]]
    for i, name in enumerate(_LEVELS[1:], level + 1):
        if found.hierarchy.num_levels > i:
            maps[name] = found.hierarchy.label_map(i)
    meta = data['data_samples'][0].metainfo
    return {name: restore_maps(one, meta)[0].numpy()
            for name, one in maps.items()}


# --------------------------------------------------------------- tables


def _report(results: Results, rows: Sequence[str],
            seeds: Sequence[int]) -> Report:
    found = {
        name: [{**results[f'camvid, {name}, seed {seed}'],
                **results[f'bsds500, {name}, seed {seed}']} for seed in seeds
               if f'bsds500, {name}, seed {seed}' in results]
        for name in rows
    }
    retrieval = dict(mIoU='mIoU', aAcc='pixel accuracy')
    tables = [_table('CamVid, retrieval', retrieval, {
        name: [[one[key] for one in some] for key in retrieval]
        for name, some in found.items()})]
    for measure in _MEASURES:
        keys = [f'{measure}, {_LEVELS[0]}',
                *(f'{measure}, {level} by k-means' for level in _LEVELS[1:])]
        cells = {name: [[one[key] for one in some] for key in keys]
                 for name, some in found.items()}
        own = [f'{measure}, {level}' for level in _LEVELS]
        ordered = {}
        for name, some in cells.items():
            if name.startswith(_HSG):
                ordered[name] = [[one[key] for one in found[name]]
                                 for key in own]
                name += ', groups by k-means'
            ordered[name] = some
        cells = ordered
        tables.append(_table(f'BSDS500, {measure}',
                             dict(zip(keys, _LEVELS)), cells))
    text = '*Difference to HSG behind each value.*\n\n'
    return Report({'HSG on real photographs': text + '\n\n'.join(tables)},
                  found)


def _table(title: str, columns: dict[str, str],
           rows: dict[str, list[list[float]]]) -> str:
    """Values of all seeds by row and column; the first row is HSG's."""
    first = rows.get(_HSG)
    cells = []
    for name, values in rows.items():
        cells.append([name, *map(summary, values)])
        if first is not None and name != _HSG:
            cells[-1][1:] = [
                f'{cell}; {paired(some, own[:len(some)])}'
                for cell, some, own in zip(cells[-1][1:], values, first)
            ]
    return markdown_table([title, *columns.values()], cells)
