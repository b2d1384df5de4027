"""Superpixels or patches, pooling or none: what is learned from Imagenette.

Protocol: ``benchmarks/real.md``.
"""

from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image
from torch import Tensor

from benchmarks.real.cells import (
    CELLS,
    POOLED,
    Encoder,
    group_tokens,
    pretraining,
)
from benchmarks.real.results import Results
from benchmarks.real.statistics import paired, summary
from benchmarks.real.trainings import ROOT, Training, run_trainings
from benchmarks.report import Report, markdown_table
from mmhierseg.evaluation.functional import mean_iou, region_miou
from mmhierseg.ops import knn_retrieve

_CONFIGS = 'benchmarks/real/configs'  # from the repository's root
_VOC = 'coco-voc21/VOCdevkit/VOC2012'
#: Strengths of weight decay of the linear probe.
_DECAYS = (1e-4, 1e-3, 1e-2, 1e-1)
#: Segments after each pooling, at about 300 superpixels an image.
_LEVELS = (150, 75, 40, 20)


def run(args: Namespace) -> Report:
    """Train and evaluate what is missing."""
    names, checkpoints = pretrain(args.data / 'imagenette', args)
    results = Results.of('recognition', args)
    transferred = {one: checkpoint for one, checkpoint in checkpoints.items()
                   if one[1] == args.seeds[0]}
    tasks: tuple[tuple[str, Callable, dict], ...] = (
        ('probes', _probe, checkpoints), ('parts', _label_parts, checkpoints),
        ('retrieval', _retrieve, transferred))
    for task, function, models in tasks:
        for (name, seed), checkpoint in models.items():
            key = f'{task}, {name}, seed {seed}'
            if key not in results:
                args.progress(key)
            results.measure(key, function, name, checkpoint, args)
    for dataset in ('camvid', 'coco-voc21'):
        trainings = {
            one: _finetuning(*one, dataset, checkpoint, args)
            for one, checkpoint in transferred.items()
        }
        finetuned = run_trainings(list(trainings.values()), args)
        for (name, seed), training in trainings.items():
            results.measure(f'{dataset}, {name}, seed {seed}', _test,
                            training, finetuned[training.name], args)
    return _report(results, names, args.seeds)


def pretrain(root: Path, args: Namespace, prefix: str = '',
             batch_size: int = 128
             ) -> tuple[list[str], dict[tuple[str, int], Path]]:
    """The models of ``--only``, and their checkpoints of every seed."""
    names = [name for name in CELLS
             if not args.only or name.startswith(tuple(args.only))]
    runs = {(name, seed): pretraining(name, seed, root, prefix, batch_size,
                                      args.quick)
            for seed in args.seeds for name in names}
    checkpoints = run_trainings(list(runs.values()), args)
    return names, {one: checkpoints[training.name]
                   for one, training in runs.items()}


# ------------------------------------------------------- whole images


def _probe(name: str, checkpoint: Path, args: Namespace) -> dict:
    return probe(CELLS[name], checkpoint, args.data / 'imagenette',
                 limit=16 if args.quick else None)


def probe(config: str, checkpoint: Path, root: Path,
          sides: tuple[int, int] = (128, 112), device: str = 'cpu',
          limit: int | None = None) -> dict:
    """Accuracy of nearest neighbours and of a linear classifier, percent.

    Args:
        config (str): Of the pre-training.
        checkpoint (Path): Its weights.
        root (Path): Folder of ``train`` and ``val``, with a folder a class.
        sides (tuple[int, int]): Images are scaled to the first; the second is
            cut from their centre.
        device (str): Of the encoder.
        limit (int, optional): Images of a class. None: all.
    """
    encoder = Encoder(config, checkpoint, device=device)
    (train, labels), (val, truth) = (
        _encode(encoder, root / part, sides, limit)
        for part in ('train', 'val'))
    neighbours = knn_retrieve(
        val, train, labels, 20, int(labels.max()) + 1)
    return dict(
        neighbours=100 * (neighbours == truth).double().mean().item(),
        linear=100 * linear_probe(train, labels, val, truth))


def _encode(encoder: Encoder, folder: Path, sides: tuple[int, int],
            limit: int | None) -> tuple[Tensor, Tensor]:
    """Features and classes of the centres of a folder's images."""
    side, margin = sides[0], (sides[0] - sides[1]) // 2
    classes = sorted(path for path in folder.iterdir() if path.is_dir())
    paths = [(path, i) for i, one in enumerate(classes)
             for path in sorted(one.iterdir())[:limit]]
    features = []
    for start in range(0, len(paths), 200):
        images = np.stack([
            np.asarray(Image.open(path).convert('RGB').resize((side, side)))
            for path, _ in paths[start:start + 200]
        ])[:, margin:side - margin, margin:side - margin]
        features.append(
            encoder.features(torch.from_numpy(images).permute(0, 3, 1, 2)))
    return torch.cat(features), torch.tensor([label for _, label in paths])


def linear_probe(train: Tensor, labels: Tensor, test: Tensor,
                 truth: Tensor) -> float:
    """Accuracy of logistic regression on standardised features.

    A fifth of the training features chooses the weight decay; then all are
    used.
    """
    std, mean = torch.std_mean(train.double(), dim=0)
    train, test = (train - mean) / std, (test - mean) / std
    held = torch.arange(len(train)) % 5 == 0
    scores = [
        _accuracy(train[~held], labels[~held], train[held], labels[held], x)
        for x in _DECAYS
    ]
    return _accuracy(train, labels, test, truth, _DECAYS[np.argmax(scores)])


def _accuracy(train: Tensor, labels: Tensor, test: Tensor, truth: Tensor,
              decay: float) -> float:
    layer = torch.nn.Linear(train.size(1), int(labels.max()) + 1).double()
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimizer = torch.optim.LBFGS(
        layer.parameters(), max_iter=200, line_search_fn='strong_wolfe')

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(layer(train), labels) + (
            decay / 2 * layer.weight.square().sum())
        loss.backward()
        return loss

    optimizer.step(closure)
    return (layer(test).argmax(1) == truth).double().mean().item()


# ----------------------------------------------------------- segments


def _retrieve(name: str, checkpoint: Path, args: Namespace) -> dict:
    """Retrieval without tuning; of poolings, also by k-means of tokens."""
    values = _retrieve_by(name, checkpoint, {}, args)
    if name in POOLED:
        grouped = {'model.level': -1, 'model.kmeans': dict(num_clusters=40)}
        for key, value in _retrieve_by(name, checkpoint, grouped,
                                       args).items():
            values[f'{key} by k-means'] = value
    return values


def _retrieve_by(name: str, checkpoint: Path, options: dict,
                 args: Namespace) -> dict:
    vit = '_vit' if name == 'ViT' else ''
    cfg = Config.fromfile(
        ROOT / f'{_CONFIGS}/retrieval{vit}_coco-voc21.py')
    if name != 'ViT':
        cfg.merge_from_dict(_structure(name, 'model.embedder.backbone', 40))
    cfg.merge_from_dict(options)
    for loader in (cfg.test_dataloader, cfg.custom_hooks[0].dataloader):
        loader.dataset.data_root = str(args.data / _VOC)
        loader.dataset.indices = 4 if args.quick else None
    cfg.load_from = str(checkpoint)
    metrics = _run_test(cfg, args)
    level = 1 if cfg.model.get('kmeans') else 3
    return {
        'mIoU': metrics['mIoU'],
        'boundary F': metrics['BoundaryFScore/mFscore'],
        'oracle': metrics[f'RegionMIoU/level{level}'],
    }


def _label_parts(name: str, checkpoint: Path, args: Namespace) -> dict:
    root = args.data / 'car-parts'

    def images() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        paths = sorted((root / 'img_dir/val').iterdir())
        for path in paths[:2] if args.quick else paths:
            image = Image.open(path).convert('RGB')
            truth = Image.open(root / f'ann_dir/val/{path.stem}.png')
            yield np.array(image), np.asarray(truth)

    return best_labels(name, checkpoint, _LEVELS, images(), 19)


def best_labels(name: str, checkpoint: Path, numbers: Sequence[int],
                images: Iterable[tuple[np.ndarray, np.ndarray]],
                num_classes: int) -> dict:
    """MIoU of the best labels of the segments of each level, percent.

    Args:
        name (str): The model.
        checkpoint (Path): Its weights.
        numbers (Sequence[int]): Segments of the four levels.
        images (Iterable): Images (H, W, 3) uint8, RGB, and their classes
            (H, W).
        num_classes (int): Number of classes.
    """
    options = dict(num_clusters=numbers) if name in POOLED else {}
    if name == 'ViT':
        options = dict(out_type='featmap')
    encoder = Encoder(CELLS[name], checkpoint, **options)
    confusions = np.zeros((len(numbers), num_classes, num_classes), np.int64)
    for image, truth in images:
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None]
        if name in POOLED:
            maps = [x[0].numpy() for x in encoder.levels(pixels)[1:]]
        else:
            tokens, labels = encoder.tokens(pixels)
            maps = group_tokens(tokens[0], labels[0], numbers)
        confusions += [region_miou(x, truth, num_classes) for x in maps]
    return {f'{number} segments': 100 * mean_iou(confusion)
            for number, confusion in zip(numbers, confusions)}


# -------------------------------------------------------- fine-tuning


def _finetuning(name: str, seed: int, dataset: str, checkpoint: Path,
                args: Namespace) -> Training:
    vit = 'vit_' if name == 'ViT' else ''
    root = args.data / dict(
        zip(('camvid', 'coco-voc21'), ('camvid', _VOC)))[dataset]
    options = {
        'randomness.seed': seed,
        'train_dataloader.dataset.data_root': root,
        'test_dataloader.dataset.data_root': root,
        'model.backbone.init_cfg.type': 'Pretrained',
        'model.backbone.init_cfg.checkpoint': checkpoint,
        'model.backbone.init_cfg.prefix': 'backbone.',
    }
    if name != 'ViT':
        options.update(_structure(name, 'model.backbone'))
    folder = ''
    if args.quick:
        folder = 'quick/'
        options.update({'train_cfg.max_iters': 2,
                        'test_dataloader.dataset.indices': 2})
    return Training(f'{folder}{dataset}-{Path(CELLS[name]).stem}-seed{seed}',
                    f'{_CONFIGS}/finetune_{vit}{dataset}.py', options)


def _structure(name: str, backbone: str, segments: int = 0) -> dict:
    """Options for superpixels or patches, and for pooling or none."""
    options: dict = {}
    if name.startswith('patches'):
        options['model.data_preprocessor.superpixels.type'] = 'Grid'
    if name not in POOLED:
        options[f'{backbone}.arch.depths'] = [7]
        options[f'{backbone}.num_clusters'] = []
        if segments:
            options['model.kmeans'] = dict(num_clusters=segments)
            options['model.level'] = -1
    return options


def _test(training: Training, checkpoint: Path, args: Namespace) -> dict:
    """Test a fine-tuned model."""
    cfg = Config.fromfile(ROOT / training.config)
    cfg.merge_from_dict({key: str(value) if isinstance(value, Path) else value
                         for key, value in training.options.items()})
    cfg.model.backbone.init_cfg = None
    cfg.load_from = str(checkpoint)
    metrics = _run_test(cfg, args)
    return {'mIoU': metrics['mIoU'],
            'boundary F': metrics['BoundaryFScore/mFscore']}


def _run_test(cfg: Config, args: Namespace) -> dict:
    cfg.work_dir = str(args.work_dir / 'tests')
    cfg.log_level = 'WARNING'
    cfg.train_dataloader = cfg.train_cfg = cfg.optim_wrapper = None
    cfg.param_scheduler = None
    metrics = Runner.from_cfg(cfg).test()
    return {name: float(value) for name, value in metrics.items()}


# ------------------------------------------------------------- tables


def _report(results: Results, names: list[str], seeds: list[int]) -> Report:
    tables = {
        'probes': ('linear', 'neighbours'),
        'retrieval': ('mIoU', 'boundary F', 'oracle'),
        'camvid': ('mIoU', 'boundary F'),
        'coco-voc21': ('mIoU', 'boundary F'),
        'parts': [f'{number} segments' for number in _LEVELS],
    }
    return Report({'recognition': '\n\n'.join(
        compare(results, task, columns, names, seeds)
        for task, columns in tables.items())}, results.entries())


def compare(results: Results, task: str, columns: Sequence[str],
            names: list[str], seeds: list[int]) -> str:
    """A table of the models, with differences to the first."""
    values = {
        name: [results[f'{task}, {name}, seed {seed}'] for seed in seeds
               if f'{task}, {name}, seed {seed}' in results]
        for name in names
    }
    first = values[names[0]]
    rows = []
    for name, runs in values.items():
        cells = [summary([x[column] for x in runs]) for column in columns]
        if name != names[0]:
            cells = [
                f'{cell}; ' + paired([x[column] for x in runs],
                                     [x[column] for x in first])
                for cell, column in zip(cells, columns)
            ]
        rows.append([name, *cells])
    return markdown_table([task, *columns], rows)
