"""Measurements of the speed goals, one function each."""

import tempfile
import time
from argparse import Namespace
from functools import cache, partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch

from benchmarks import hsg, segmentation, startup
from benchmarks.cast_plain import PlainStep
from benchmarks.hsg_batch import make_batch
from benchmarks.images import make_photographs, write_photographs
from benchmarks.memory import peak_bytes
from benchmarks.models import CONTENDERS
from benchmarks.pipeline import BASELINE as SEEDS_LOADER
from benchmarks.pipeline import Pass
from benchmarks.profile_step import time_operators
from benchmarks.retrieval import make_bank, retrieve
from benchmarks.segment_means import make_means
from benchmarks.steps import MODES, Step
from benchmarks.superpixels import (
    FAST_SLIC,
    METHODS,
    Method,
    rate,
    time_methods,
)
from benchmarks.timing import paired_ratio, run_threads, spread, take_turns
from mmhierseg.ops import farthest_point_sampling, has_numba

_SIDE = 16
#: Views of a batch on a GPU.
VIEWS = 512
#: By the setting with the size: size and segments, and the share of images.
SUPERPIXELS = dict(
    img_size=('224, 196', 1), large_size=('512, 1024', 3),
    huge_size=('1024 x 2048, 8192', 7))


class Settings(NamedTuple):
    """How thoroughly goals are measured, and on what."""

    rounds: int = 9
    images: int = 14  # photographs, and scenes, of superpixels
    threads: int = 2  # where a goal does not ask for one core
    device: str = 'cpu'
    img_size: int = 224
    large_size: int = 512
    huge_size: tuple[int, int] = (1024, 2048)
    batch_size: int = 8  # of CAST and of the ViT
    hsg_images: int = 24  # two views each


class Measured(NamedTuple):
    """The ratio of a goal, and what it is the ratio of."""

    value: float
    words: str


def _compare(own: list[float], base: list[float], scale: float,
             unit: str) -> Measured:
    """Paired ratio of seconds, with both medians times a scale."""
    times = [scale * spread(x).median for x in (own, base)]
    return Measured(
        paired_ratio(own, base).median,
        f'{times[0]:.3g} : {times[1]:.3g} {unit}')


@cache
def _time_superpixels(settings: Settings, size: str
                      ) -> dict[str, list[float]]:
    names = ['TorchSLIC'] if has_numba() else []
    names += [FAST_SLIC] if FAST_SLIC in METHODS else []
    if size != 'huge_size':
        names += ['SEEDS (15, 20)', 'SEEDS (5, 15)', 'TorchSLIC, torch only']
    images = make_photographs(
        max(settings.images // SUPERPIXELS[size][1], 1),
        getattr(settings, size))
    with run_threads(1):
        return time_methods(names, images, 1, _SIDE, 2 * settings.rounds + 1)


def superpixel_speed(settings: Settings, own: str, baseline: str,
                     size: str) -> Measured:
    """Time of a baseline over that of another method."""
    seconds = _time_superpixels(settings, size)
    return _compare(seconds[baseline], seconds[own], 1e3, 'ms an image')


@cache
def _rate_superpixels(settings: Settings) -> dict[str, dict]:
    names = ('SEEDS (15, 20)', 'TorchSLIC', FAST_SLIC)
    return rate([name for name in names if name in METHODS],
                settings.img_size, _SIDE, settings.images)


def superpixel_quality(settings: Settings, measure: str,
                       baseline: str = 'SEEDS (15, 20)') -> Measured:
    """A measure of TorchSLIC over that of a baseline."""
    ratings = _rate_superpixels(settings)
    own, base = (ratings[x][measure] for x in ('TorchSLIC', baseline))
    return Measured(own / base, f'{own:.3f} : {base:.3f}')


def share_of_step(settings: Settings) -> Measured:
    """On a GPU: superpixels of all views against the step they are for."""
    step = Step(CONTENDERS['cast-s'], MODES['pretraining-bf16'], VIEWS // 2,
                settings.img_size, False, settings.device)
    views = torch.cat(step.views)[:, :3].to(torch.uint8)
    calls = dict(superpixels=partial(Method('TorchSLIC', _SIDE), views),
                 step=step)
    seconds = take_turns(calls, settings.rounds, device=settings.device)
    return _compare(seconds['superpixels'], seconds['step'], 1e3, 'ms')


def against_vit(settings: Settings, mode: str) -> Measured:
    """Time of CAST-S over that of ViT-S, superpixels given."""
    with run_threads(settings.threads):
        steps = {
            name: Step(CONTENDERS[name], MODES[mode], settings.batch_size,
                       settings.img_size, False, settings.device)
            for name in ('cast-s', 'vit-s')
        }
        seconds = take_turns(steps, settings.rounds, warmup=1,
                             device=settings.device)
    return _compare(seconds['cast-s'], seconds['vit-s'],
                    1e3 / settings.batch_size, 'ms an image')


def against_plain(settings: Settings, mode: str) -> Measured:
    """Time of CAST-S written down plainly over that of the package."""
    args = (CONTENDERS['cast-s'], MODES[mode], settings.batch_size,
            settings.img_size, False, settings.device)
    with run_threads(settings.threads):
        seconds = take_turns(dict(plain=PlainStep(*args), own=Step(*args)),
                             settings.rounds, warmup=1)
    return _compare(seconds['plain'], seconds['own'],
                    1e3 / settings.batch_size, 'ms an image')


def small_operators(settings: Settings) -> Measured:
    """Share of small operators in a step of MoCo v3."""
    with run_threads(settings.threads):
        step = Step(CONTENDERS['cast-s'], MODES['pretraining-fp32'],
                    settings.batch_size, settings.img_size, False, 'cpu')
        step()
        whole, small = map(median, zip(*(
            time_operators(step) for _ in range(settings.rounds))))
    return Measured(small / whole, f'{small:.3g} : {whole:.3g} s a step')


def sampling(settings: Settings, scale: int = 1) -> Measured:
    """Time of all farthest point sampling over that of a forward pass.

    Images are larger by a factor: with as many more segments at each level,
    one by one and on one core, for an image is sampled by one.
    """
    contender = CONTENDERS['cast-s']
    contender = contender._replace(classifier_options={
        'model.backbone.num_clusters':
        [scale**2 * n for n in (64, 32, 16, 8)]})
    step = Step(contender, MODES['inference-fp32'],
                1 if scale > 1 else settings.batch_size,
                settings.img_size * scale, False, settings.device)
    backbone = step.model.backbone
    threads = 1 if scale > 1 else settings.threads
    with run_threads(threads), torch.no_grad():
        inputs = step.model.data_preprocessor(
            dict(inputs=step.views[0]))['inputs']
        # The output of forward comes from the last stage, before its pooling.
        output = backbone.forward_hierarchy(inputs)
        tokens = [(x.contiguous(), pool.num_clusters, empty)
                  for x, pool, empty in zip(output.tokens[:-1], backbone.pools,
                                            output.empty)]
        calls = dict(
            sampling=lambda: [farthest_point_sampling(*x) for x in tokens],
            forward=partial(backbone, inputs))
        seconds = {}
        if scale > 1 and settings.device == 'cpu':
            # That of a large image takes long: one, now that all is warm.
            start = time.perf_counter()
            calls.pop('forward')()
            seconds['forward'] = settings.rounds * [
                time.perf_counter() - start]
        seconds.update(
            take_turns(calls, settings.rounds, device=settings.device))
    return _compare(seconds['sampling'], seconds['forward'], 1e3,
                    'ms a batch')


def imports(settings: Settings) -> Measured:
    """Seconds that this package adds to those of its hosts."""
    seconds = startup.imports(settings.rounds)
    own, hosts = (spread(seconds[name]).median for name in ('own', 'hosts'))
    return Measured(own, f'{own:.2f} : {hosts:.2f} s')


def first_result(settings: Settings) -> Measured:
    """Seconds of a first hierarchy, nothing compiled."""
    return Measured(spread(startup.first_result(settings.rounds)).median,
                    'a process on its own')


def first_iteration(settings: Settings) -> Measured:
    """Seconds to a first iteration of training."""
    return Measured(spread(startup.first_iteration(settings.rounds)).median,
                    'a process on its own')


OWN = {
    'segments': 'Segmenter, CAST-S',
    'featmap': 'Segmenter on a map of CAST-S'
}
_BATCH = 2


@cache
def _measure_segmentors(settings: Settings, training: bool
                        ) -> dict[str, dict]:
    args = Namespace(batch_size=_BATCH, img_size=settings.large_size,
                     device=settings.device, repeats=settings.rounds,
                     progress=None)
    with run_threads(settings.threads):
        return segmentation.measure([segmentation.BASELINE, *OWN.values()],
                                    training, args)


def segmentor(settings: Settings, output: str, training: bool,
              quantity: str) -> Measured:
    """Time or memory of a segmentor over those of Segmenter, ViT-S."""
    measured = _measure_segmentors(settings, training)
    return _ratio_of(measured[OWN[output]], measured[segmentation.BASELINE],
                     quantity, _BATCH)


@cache
def _measure_whole_images(settings: Settings) -> dict[str, dict]:
    args = Namespace(batch_size=1, img_size=settings.huge_size,
                     device=settings.device,
                     repeats=max(settings.rounds // 3, 1), progress=None)
    with run_threads(settings.threads):
        return segmentation.measure(
            [segmentation.BASELINE, OWN['segments']], False, args)


def whole_images(settings: Settings, quantity: str) -> Measured:
    """The same for images of 1024 x 2048, on segments."""
    measured = _measure_whole_images(settings)
    own, base = measured[OWN['segments']], measured[segmentation.BASELINE]
    return _ratio_of(own, base, quantity, 1)


def _ratio_of(own: dict, base: dict, quantity: str,
              batch_size: int) -> Measured:
    if quantity == 'time':
        return _compare(own['seconds'], base['seconds'], 1 / batch_size,
                        's an image')
    return Measured(
        own['peak'] / base['peak'],
        f'{own["peak"] / 2**20:.0f} : {base["peak"] / 2**20:.0f} MiB')


def images_per_second(settings: Settings) -> Measured:
    """In one process, on one core."""
    own = 'TorchSLIC in the loader'
    with tempfile.TemporaryDirectory() as folder, run_threads(1):
        write_photographs(Path(folder), settings.images)
        passes = {
            name: Pass(name, Path(folder), 2, 0, 'cpu', settings.img_size)
            for name in (own, SEEDS_LOADER)
        }
        seconds = take_turns(passes, settings.rounds, warmup=1,
                             min_seconds=0.)
    return _compare(seconds[SEEDS_LOADER], seconds[own],
                    1e3 / settings.images, 'ms an image')


@cache
def _measure_hsg(settings: Settings) -> dict[str, dict]:
    args = Namespace(size=28, channels=128, regions=48, matrix_limit=1e4,
                     device=settings.device, repeats=settings.rounds,
                     progress=lambda message: None)
    with run_threads(settings.threads):
        return hsg.measure(settings.hsg_images, args)


def hsg_speed(settings: Settings, works: tuple[str, ...]) -> Measured:
    """Time of the naive reference over that of the package."""
    measured = _measure_hsg(settings)
    own, naive = (
        [sum(x) for x in zip(*(measured[work][version]['seconds']
                               for work in works))]
        for version in ('package', 'naive'))
    found = _compare(naive, own, 1., 's')
    return found._replace(
        words=f'{found.words}, {settings.hsg_images} images')


def hsg_memory(settings: Settings, work: str) -> Measured:
    """Growth of memory over growth of the number of vectors."""
    peaks, sizes = [], []
    for number in (settings.hsg_images // 2, 2 * settings.hsg_images):
        batch = make_batch(number).to(settings.device)
        sizes.append(len(batch.views.pixels) + len(batch.views.prototypes))
        with run_threads(settings.threads):
            peaks.append(peak_bytes(
                partial(hsg.step, 'package', work, batch), settings.device))
    return Measured(
        (peaks[1] / peaks[0]) / (sizes[1] / sizes[0]),
        f'{peaks[0] / 2**20:.1f} to {peaks[1] / 2**20:.1f} MiB, '
        f'{sizes[0]:,} to {sizes[1]:,} vectors')


def retrieval_memory(settings: Settings) -> Measured:
    """Peak memory with four times as many similarities."""
    small, large = (
        peak_bytes(
            partial(retrieve, make_bank(scale * 1024, scale * 32768, 128,
                                        settings.device)), settings.device)
        for scale in (1, 2))
    return Measured(large / small,
                    f'{large / 2**20:.0f} : {small / 2**20:.0f} MiB')


def mean_memory(settings: Settings) -> Measured:
    """MiB that means over the segments of a large image take."""
    means = make_means(2 * settings.large_size, settings.device)
    peak = peak_bytes(means['uncounted'], settings.device) / 2**20
    return Measured(peak, f'{peak:.0f} MiB')


def mean_time(settings: Settings) -> Measured:
    """Time without reads over that with them."""
    means = make_means(2 * settings.large_size, settings.device)
    with run_threads(settings.threads):
        seconds = take_turns(means, settings.rounds)
    return _compare(seconds['uncounted'], seconds['counted'], 1e3, 'ms')
