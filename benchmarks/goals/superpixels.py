"""Goals of superpixels: TorchSLIC against SEEDS, on one core."""

import os
from functools import cache, partial
from typing import Callable, Dict, List

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.common.timing import paired_ratio, spread, take_turns
from benchmarks.cost.models import CONTENDERS
from benchmarks.cost.work import MODES, Step
from mmhierseg.datasets.scenes import SceneOptions, make_scene
from mmhierseg.evaluation.functional import (
    achievable_segmentation_accuracy,
    boundary_recall,
    explained_variation,
    undersegmentation_error,
)
from mmhierseg.superpixels import SEEDS, TorchSLIC
from tools.dataset_converters.skimage_photos import find_photographs

from .goal import Goal, Measured, Settings, run_threads

__all__ = ['GOALS']

_SIDE = 16
_SWITCH = 'MMHIERSEG_COMPILED'
#: Those of CAST's MoCo recipe, and of DeiT and fine-tuning.
_SEEDS = {
    'SEEDS (15, 20)': dict(histogram_bins=15, num_iterations=20),
    'SEEDS (5, 15)': dict(histogram_bins=5, num_iterations=15),
}
_COMPILED, _TORCH = 'TorchSLIC', 'TorchSLIC, torch only'
#: Views of a batch on a GPU.
_VIEWS = 512


def make_photographs(number: int, size: int) -> List[Tensor]:
    """Photographs of scikit-image, the whole of each.

    Args:
        number (int): How many; from the first again after the last.
        size (int): Height and width.

    Returns:
        list[Tensor]: Each (1, 3, H, W) uint8, RGB.
    """
    paths = find_photographs()
    images = []
    for index in range(number):
        with Image.open(paths[index % len(paths)]) as photo:
            photo = photo.convert('RGB').resize((size, size),
                                                Image.Resampling.BICUBIC)
        images.append(
            torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None])
    return images


@cache
def time_methods(settings: Settings, large: bool) -> Dict[str, List[float]]:
    """Seconds an image of all methods, in turns, on one core.

    Args:
        settings (Settings): Of the run.
        large (bool): Whether images are of the larger size.

    Returns:
        Dict[str, list[float]]: By method, of each round.
    """
    size = settings.large_size if large else settings.img_size
    number = settings.images
    if large:
        number = max(number // 3, 1)
    images = make_photographs(number, size)
    methods: Dict[str, Callable] = {
        name: SEEDS(segment_size=_SIDE, **options)
        for name, options in _SEEDS.items()
    }
    methods[_COMPILED] = TorchSLIC(segment_size=_SIDE)
    methods[_TORCH] = without_compiled(TorchSLIC(segment_size=_SIDE))
    cv2.setNumThreads(0)
    with run_threads(1):
        seconds = take_turns(
            {name: partial(_of_all, method, images)
             for name, method in methods.items()},
            2 * settings.rounds + 1, warmup=1, min_seconds=0.)
    return {name: [x / number for x in values]
            for name, values in seconds.items()}


def without_compiled(call: Callable) -> Callable:
    """Let compiled twins rest while something is called.

    Args:
        call (Callable): What is to run in torch only.

    Returns:
        Callable: Takes and returns the same.
    """
    def inner(*args):
        before = os.environ.get(_SWITCH)
        os.environ[_SWITCH] = '0'
        try:
            return call(*args)
        finally:
            if before is None:
                del os.environ[_SWITCH]
            else:
                os.environ[_SWITCH] = before

    return inner


def _of_all(method: Callable, images: List[Tensor]) -> None:
    for image in images:
        method(image)


def _speed(settings: Settings, own: str, baseline: str,
           large: bool) -> Measured:
    seconds = time_methods(settings, large)
    times = [1e3 * spread(seconds[name]).median for name in (baseline, own)]
    return Measured(
        paired_ratio(seconds[baseline], seconds[own]).median,
        f'{times[0]:.1f} : {times[1]:.1f} ms an image')


@cache
def rate_methods(settings: Settings) -> Dict[str, Dict[str, float]]:
    """Quality of segments, the mean over images.

    Args:
        settings (Settings): Of the run.

    Returns:
        Dict[str, Dict[str, float]]: By measure and method. Explained
        variation is that of photographs, the others of drawn scenes.
    """
    size = settings.img_size
    photographs = make_photographs(settings.images, size)
    scenes = [make_scene(0, index, SceneOptions(size=(size, size)))
              for index in range(settings.images)]
    methods = {
        'SEEDS': SEEDS(segment_size=_SIDE, **_SEEDS['SEEDS (15, 20)']),
        _COMPILED: TorchSLIC(segment_size=_SIDE)
    }
    ratings: Dict[str, Dict[str, float]] = {}
    for name, method in methods.items():
        rows = [
            _rate_scene(method, scene.image, scene.part_instances)
            for scene in scenes
        ]
        for row in rows:
            row.update(EV=0.)
        for row, photo in zip(rows, photographs):
            row['EV'] = explained_variation(
                method(photo)[0], photo[0].permute(1, 2, 0).numpy())
        for measure in rows[0]:
            ratings.setdefault(measure, {})[name] = float(
                np.mean([row[measure] for row in rows]))
    return ratings


def _rate_scene(method: Callable, image: np.ndarray,
                regions: np.ndarray) -> Dict[str, float]:
    segments = method(torch.from_numpy(image).permute(2, 0, 1)[None])[0]
    return dict(
        ASA=achievable_segmentation_accuracy(segments, regions),
        UE=undersegmentation_error(segments, regions),
        BR=boundary_recall(segments, regions, tolerance=2))


def _quality(settings: Settings, measure: str) -> Measured:
    rating = rate_methods(settings)[measure]
    own, baseline = rating[_COMPILED], rating['SEEDS']
    return Measured(own / baseline, f'{own:.3f} : {baseline:.3f}')


def _share_of_step(settings: Settings) -> Measured:
    """On a GPU: superpixels of all views against the step they are for."""
    number = _VIEWS // 2
    step = Step(CONTENDERS['cast-s'], MODES['pretraining-bf16'], number,
                settings.img_size, False, settings.device)
    views = torch.cat(step.views)[:, :3].to(torch.uint8)
    method = TorchSLIC(segment_size=_SIDE)
    seconds = take_turns(
        dict(superpixels=partial(method, views), step=step),
        settings.rounds, device=settings.device)
    times = [1e3 * spread(seconds[x]).median for x in ('superpixels', 'step')]
    return Measured(
        paired_ratio(seconds['superpixels'], seconds['step']).median,
        f'{times[0]:.1f} : {times[1]:.1f} ms')


def _speed_goal(name: str, own: str, baseline: str, large: bool,
                bound: float) -> Goal:
    place = '512, 1024 segments' if large else '224, 196 segments'
    how = 'compiled' if own == _COMPILED else 'in torch only'
    return Goal(
        name, f'superpixels at {place}: {baseline} over TorchSLIC {how}, one '
        'core', bound, True,
        partial(_speed, own=own, baseline=baseline, large=large),
        needs_numba=own == _COMPILED)


_MEASURES = dict(
    EV='explained variation', ASA='achievable segmentation accuracy',
    UE='under-segmentation error', BR='boundary recall, 2 pixels')

GOALS = [
    _speed_goal('slic-224', _COMPILED, 'SEEDS (15, 20)', False, 3.5),
    _speed_goal('slic-224-fast-seeds', _COMPILED, 'SEEDS (5, 15)', False, 1.8),
    _speed_goal('slic-512', _COMPILED, 'SEEDS (15, 20)', True, 6.),
    _speed_goal('slic-512-fast-seeds', _COMPILED, 'SEEDS (5, 15)', True, 2.2),
    _speed_goal('slic-torch-224', _TORCH, 'SEEDS (15, 20)', False, 2.),
    _speed_goal('slic-torch-512', _TORCH, 'SEEDS (15, 20)', True, 4.),
    *(Goal(f'slic-{measure.lower()}',
           f'{words}: TorchSLIC over SEEDS (15, 20)', 1., measure != 'UE',
           partial(_quality, measure=measure))
      for measure, words in _MEASURES.items()),
    Goal('slic-gpu', f'superpixels of {_VIEWS} views of 224 over the step of '
         'MoCo v3 that takes them, CAST-S', 0.05, False, _share_of_step,
         devices=('cuda', )),
]
