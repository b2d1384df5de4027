"""Superpixels or patches, pooling or none, on drawn scenes.

Colours say nothing of what is drawn. Protocol: ``benchmarks/real.md``.
"""

import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.real.cells import CELLS
from benchmarks.real.recognition import (
    best_labels,
    compare,
    pretrain,
    probe,
)
from benchmarks.real.results import Results
from benchmarks.real.trainings import ROOT
from benchmarks.report import Report
from mmhierseg.datasets import PartWholeScenes
from mmhierseg.datasets.scenes import PARTS

_SIZE = 128
#: Segments after each pooling, of 64 superpixels.
_LEVELS = (32, 16, 8, 4)


def run(args: Namespace) -> Report:
    """Draw the scenes, train and evaluate what is missing."""
    root, numbers = _draw(args)
    names, checkpoints = pretrain(root, args, 'scenes-', batch_size=64)
    results = Results.of('scenes', args)
    for (name, seed), checkpoint in checkpoints.items():
        for task, function, *options in (
                ('categories', probe, CELLS[name], checkpoint, root),
                ('parts', best_labels, name, checkpoint, _LEVELS,
                 _parts(numbers['val']), len(PARTS) + 1)):
            key = f'{task}, {name}, seed {seed}'
            if key not in results:
                args.progress(key)
            results.measure(key, function, *options)
    tables = dict(categories=('linear', 'neighbours'),
                  parts=[f'{number} segments' for number in _LEVELS])
    return Report({'drawn scenes': '\n\n'.join(
        compare(results, task, columns, names, args.seeds)
        for task, columns in tables.items())}, results.entries())


def _draw(args: Namespace) -> tuple[Path, dict[str, int]]:
    """Folder of the scenes, and how many it has of each split."""
    numbers = dict(train=24, val=24) if args.quick else dict(
        train=640, val=600)
    root = args.work_dir / ('quick-scenes' if args.quick else 'scenes')
    subprocess.run([
        sys.executable, 'tools/dataset_converters/make_part_whole_scenes.py',
        str(root), '--size', str(_SIZE), str(_SIZE), '--workers',
        str(args.jobs), *(word for split, number in numbers.items()
                          for word in (f'--{split}', str(number)))
    ], cwd=ROOT, check=True)
    return root, numbers


def _parts(number: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The validation scenes that were drawn, and their parts."""
    for scene in PartWholeScenes(number, 'val', size=(_SIZE, _SIZE)):
        yield np.ascontiguousarray(scene['img'][..., ::-1]), (
            scene['gt_part_map'])
