"""All speed goals in one table: ratios, bounds, and whether they hold."""

import tempfile
from argparse import Namespace
from collections.abc import Callable
from functools import cache, partial
from importlib.util import find_spec
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
from benchmarks.report import Report, markdown_table
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
from mmhierseg._base.errors import UserError
from mmhierseg.ops import farthest_point_sampling, has_numba

__all__ = ['GOALS', 'Goal', 'Measured', 'Settings', 'run']

_SIDE = 16
#: Views of a batch on a GPU.
_VIEWS = 512


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


class Goal(NamedTuple):
    """One ratio and its bound."""

    name: str
    words: str
    bound: float
    at_least: bool  # otherwise at most
    measure: Callable[[Settings], Measured]
    devices: tuple[str, ...] = ('cpu', )
    needs: tuple[str, ...] = ()  # packages, or `_BF16`

    def is_met(self, value: float) -> bool:
        """Whether a ratio is good enough; False for NaN."""
        return value >= self.bound if self.at_least else value <= self.bound


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
        max(settings.images // _SUPERPIXELS[size][1], 1),
        getattr(settings, size))
    with run_threads(1):
        return time_methods(names, images, 1, _SIDE, 2 * settings.rounds + 1)


def _superpixel_speed(settings: Settings, own: str, baseline: str,
                      size: str) -> Measured:
    seconds = _time_superpixels(settings, size)
    return _compare(seconds[baseline], seconds[own], 1e3, 'ms an image')


@cache
def _rate_superpixels(settings: Settings) -> dict[str, dict]:
    names = ('SEEDS (15, 20)', 'TorchSLIC', FAST_SLIC)
    return rate([name for name in names if name in METHODS],
                settings.img_size, _SIDE, settings.images)


def _superpixel_quality(settings: Settings, measure: str,
                        baseline: str = 'SEEDS (15, 20)') -> Measured:
    ratings = _rate_superpixels(settings)
    own, base = (ratings[x][measure] for x in ('TorchSLIC', baseline))
    return Measured(own / base, f'{own:.3f} : {base:.3f}')


def _share_of_step(settings: Settings) -> Measured:
    """On a GPU: superpixels of all views against the step they are for."""
    step = Step(CONTENDERS['cast-s'], MODES['pretraining-bf16'], _VIEWS // 2,
                settings.img_size, False, settings.device)
    views = torch.cat(step.views)[:, :3].to(torch.uint8)
    calls = dict(superpixels=partial(Method('TorchSLIC', _SIDE), views),
                 step=step)
    seconds = take_turns(calls, settings.rounds, device=settings.device)
    return _compare(seconds['superpixels'], seconds['step'], 1e3, 'ms')


def _against_vit(settings: Settings, mode: str) -> Measured:
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


def _against_plain(settings: Settings, mode: str) -> Measured:
    """Time of CAST-S written down plainly over that of the package."""
    args = (CONTENDERS['cast-s'], MODES[mode], settings.batch_size,
            settings.img_size, False, settings.device)
    with run_threads(settings.threads):
        seconds = take_turns(dict(plain=PlainStep(*args), own=Step(*args)),
                             settings.rounds, warmup=1)
    return _compare(seconds['plain'], seconds['own'],
                    1e3 / settings.batch_size, 'ms an image')


def _small_operators(settings: Settings) -> Measured:
    with run_threads(settings.threads):
        step = Step(CONTENDERS['cast-s'], MODES['pretraining-fp32'],
                    settings.batch_size, settings.img_size, False, 'cpu')
        step()
        whole, small = map(median, zip(*(
            time_operators(step) for _ in range(settings.rounds))))
    return Measured(small / whole, f'{small:.3g} : {whole:.3g} s a step')


def _sampling(settings: Settings, scale: int = 1) -> Measured:
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
        calls = [(x.contiguous(), pool.num_clusters, empty) for x, pool, empty
                 in zip(output.tokens[:-1], backbone.pools, output.empty)]
        seconds = take_turns(
            dict(
                sampling=lambda: [farthest_point_sampling(*x) for x in calls],
                forward=partial(backbone, inputs)),
            max(2 * settings.rounds // scale, 1), warmup=1,
            device=settings.device)
    return _compare(seconds['sampling'], seconds['forward'], 1e3,
                    'ms a batch')


def _imports(settings: Settings) -> Measured:
    """Seconds that this package adds to those of its hosts."""
    seconds = startup.imports(settings.rounds)
    both, alone = (spread(seconds[name]).median for name in ('both', 'hosts'))
    return Measured(both - alone, f'{both:.2f} : {alone:.2f} s')


def _first_result(settings: Settings) -> Measured:
    return Measured(spread(startup.first_result()).median,
                    'a process on its own')


def _first_iteration(settings: Settings) -> Measured:
    return Measured(spread(startup.first_iteration(settings.rounds)).median,
                    'a process on its own')


_OWN = {
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
        return segmentation.measure([segmentation.BASELINE, *_OWN.values()],
                                    training, args)


@cache
def _measure_whole_images(settings: Settings) -> dict[str, dict]:
    args = Namespace(batch_size=1, img_size=settings.huge_size,
                     device=settings.device,
                     repeats=max(settings.rounds // 3, 1), progress=None)
    with run_threads(settings.threads):
        return segmentation.measure(
            [segmentation.BASELINE, _OWN['segments']], False, args)


def _whole_images(settings: Settings, quantity: str) -> Measured:
    measured = _measure_whole_images(settings)
    own, base = measured[_OWN['segments']], measured[segmentation.BASELINE]
    return _ratio_of(own, base, quantity, 1)


def _segmentation(settings: Settings, output: str, training: bool,
                  quantity: str) -> Measured:
    measured = _measure_segmentors(settings, training)
    return _ratio_of(measured[_OWN[output]], measured[segmentation.BASELINE],
                     quantity, _BATCH)


def _ratio_of(own: dict, base: dict, quantity: str,
              batch_size: int) -> Measured:
    if quantity == 'time':
        return _compare(own['seconds'], base['seconds'], 1 / batch_size,
                        's an image')
    return Measured(
        own['peak'] / base['peak'],
        f'{own["peak"] / 2**20:.0f} : {base["peak"] / 2**20:.0f} MiB')


def _images_per_second(settings: Settings) -> Measured:
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


def _hsg_speed(settings: Settings, works: tuple[str, ...]) -> Measured:
    measured = _measure_hsg(settings)
    own, naive = (
        [sum(x) for x in zip(*(measured[work][version]['seconds']
                               for work in works))]
        for version in ('package', 'naive'))
    found = _compare(naive, own, 1., 's')
    return found._replace(
        words=f'{found.words}, {settings.hsg_images} images')


def _hsg_memory(settings: Settings, work: str) -> Measured:
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


def _retrieval_memory(settings: Settings) -> Measured:
    """Peak memory with four times as many similarities."""
    small, large = (
        peak_bytes(
            partial(retrieve, make_bank(scale * 1024, scale * 32768, 128,
                                        settings.device)), settings.device)
        for scale in (1, 2))
    return Measured(large / small,
                    f'{large / 2**20:.0f} : {small / 2**20:.0f} MiB')


def _mean_memory(settings: Settings) -> Measured:
    """MiB that means over the segments of a large image take."""
    means = make_means(2 * settings.large_size, settings.device)
    peak = peak_bytes(means['uncounted'], settings.device) / 2**20
    return Measured(peak, f'{peak:.0f} MiB')


def _mean_time(settings: Settings) -> Measured:
    means = make_means(2 * settings.large_size, settings.device)
    with run_threads(settings.threads):
        seconds = take_turns(means, settings.rounds)
    return _compare(seconds['uncounted'], seconds['counted'], 1e3, 'ms')


_BOTH = ('cpu', 'cuda')
_BF16 = 'instructions for bfloat16'
_PLAIN = [
    ('inference-fp32', 'inference in fp32', 1.35),
    ('inference-bf16', 'inference in bf16', 1.3),
    ('training-fp32', 'training step in fp32', 1.3),
    ('training-bf16', 'training step in bf16', 1.2),
]
#: By the setting with the size: size and segments, and the share of images.
_SUPERPIXELS = dict(
    img_size=('224, 196', 1), large_size=('512, 1024', 3),
    huge_size=('1024 x 2048, 8192', 7))
_SPEEDS = [
    # name, own, baseline, setting with the size, bound
    ('slic-224', 'TorchSLIC', 'SEEDS (15, 20)', 'img_size', 3.5),
    ('slic-224-fast-seeds', 'TorchSLIC', 'SEEDS (5, 15)', 'img_size', 1.8),
    ('slic-512', 'TorchSLIC', 'SEEDS (15, 20)', 'large_size', 6.),
    ('slic-512-fast-seeds', 'TorchSLIC', 'SEEDS (5, 15)', 'large_size', 2.2),
    ('slic-torch-224', 'TorchSLIC, torch only', 'SEEDS (15, 20)', 'img_size',
     2.),
    ('slic-torch-512', 'TorchSLIC, torch only', 'SEEDS (15, 20)',
     'large_size', 4.),
    # The other way round, at most.
    ('slic-fast-slic-224', FAST_SLIC, 'TorchSLIC', 'img_size', 1.),
    ('slic-fast-slic-512', FAST_SLIC, 'TorchSLIC', 'large_size', 1.),
    ('slic-fast-slic-1024', FAST_SLIC, 'TorchSLIC', 'huge_size', 1.),
]
_NEEDS = {'TorchSLIC': 'numba', FAST_SLIC: 'fast_slic'}
_QUALITIES = dict(
    ev='explained variation', asa='achievable segmentation accuracy',
    ue='under-segmentation error', br='boundary recall')
#: k-means is a few percent of the three together and has no goal of its own.
_HSG = dict(kmeans='k-means', contrast='contrast', grouping='grouping')
GOALS = {
    goal.name: goal
    for goal in [
        *(Goal(name, f'superpixels at {_SUPERPIXELS[size][0]} segments: time '
               f'of {base} over {own}, one core', bound, own != FAST_SLIC,
               partial(_superpixel_speed, own=own, baseline=base, size=size),
               needs=tuple(_NEEDS[x] for x in (own, base) if x in _NEEDS))
          for name, own, base, size, bound in _SPEEDS),
        Goal('slic-fast-slic-br', 'boundary recall: TorchSLIC over '
             f'{FAST_SLIC}', 1., True,
             partial(_superpixel_quality, measure='boundary recall',
                     baseline=FAST_SLIC), needs=('fast_slic', )),
        *(Goal(f'slic-{short}', f'{words}: TorchSLIC over SEEDS (15, 20)', 1.,
               short != 'ue', partial(_superpixel_quality, measure=words))
          for short, words in _QUALITIES.items()),
        Goal('slic-gpu', f'superpixels of {_VIEWS} views of 224 over the step '
             'of MoCo v3 that takes them, CAST-S', 0.05, False,
             _share_of_step, devices=('cuda', )),
        Goal('sampling', 'farthest point sampling over the forward pass of '
             'CAST-S', 0.02, False, _sampling, devices=_BOTH),
        *(Goal(f'sampling-{224 * scale}', f'the same at {224 * scale}, '
               f'{196 * scale**2:,} tokens', bound, False,
               partial(_sampling, scale=scale), devices=_BOTH)
          for scale, bound in ((4, 0.03), (6, 0.03), (8, 0.05))),
        Goal('import', 'seconds that importing the models adds to those of '
             'MMPretrain and MMSegmentation', 0.3, False, _imports),
        Goal('cast-fp32', 'inference in fp32: CAST-S over ViT-S', 0.75, False,
             partial(_against_vit, mode='inference-fp32')),
        Goal('cast-bf16', 'inference in bf16: CAST-S over ViT-S', 0.85, False,
             partial(_against_vit, mode='inference-bf16')),
        *(Goal(f'plain-{mode}', f'{words}: CAST-S written down plainly over '
               'that of the package', bound, True,
               partial(_against_plain, mode=mode),
               needs=(_BF16, ) if mode.endswith('bf16') else ())
          for mode, words, bound in _PLAIN),
        Goal('small-operators', 'step of MoCo v3, CAST-S: operators that are '
             'no products, convolutions or attention, over all', 0.12, False,
             _small_operators),
        Goal('cast-moco', 'step of MoCo v3: CAST-S over ViT-S', 0.9, False,
             partial(_against_vit, mode='pretraining-fp32')),
        *(Goal(f'dense-{output}-{task}-{quantity}',
               f'segmentation at 512, {task}, {output}: {quantity} of CAST-S '
               'over Segmenter ViT-S', 1., False,
               partial(_segmentation, output=output,
                       training=task == 'training', quantity=quantity),
               devices=_BOTH)
          for output in _OWN for task in ('inference', 'training')
          for quantity in ('time', 'memory')),
        *(Goal(f'whole-{quantity}', f'segmentation of 1024 x 2048, inference: '
               f'{quantity} of CAST-S over Segmenter ViT-S', bound, False,
               partial(_whole_images, quantity=quantity), devices=_BOTH)
          for quantity, bound in (('time', 0.5), ('memory', 1.))),
        Goal('pipeline', 'pipeline of MoCo v3, images per second: TorchSLIC '
             'over SEEDS (15, 20) in the loader', 1.3, True,
             _images_per_second),
        Goal('hsg', "HSG's k-means, contrast and grouping together: time of "
             'the naive reference over that of the package', 3., True,
             partial(_hsg_speed, works=tuple(_HSG)), devices=_BOTH),
        *(Goal(f'hsg-{work}', f'{words} alone: time of the naive reference '
               'over that of the package', 3., True,
               partial(_hsg_speed, works=(work, )), devices=_BOTH)
          for work, words in _HSG.items() if work != 'kmeans'),
        *(Goal(f'hsg-{work}-memory', f'memory of {words} with four times the '
               'images, over four times the vectors', 1.1, False,
               partial(_hsg_memory, work=work), devices=_BOTH)
          for work, words in _HSG.items()),
        Goal('retrieval-memory', 'memory of retrieval with four times the '
             'pairs of query and entry, over that with one', 1.1, False,
             _retrieval_memory, devices=_BOTH),
        Goal('segment-means-memory', 'MiB of means over 8,192 segments at '
             '1024 x 2048, 384 channels, pairs not counted', 150., False,
             _mean_memory, devices=_BOTH),
        Goal('segment-means-time', 'their time over that with pairs counted',
             1., False, _mean_time),
        Goal('first-iteration', "seconds to the first iteration of the quick "
             "start's training, kernels compiled", 6., False,
             _first_iteration),
        # Last, because what it starts compiles for half a minute.
        Goal('first-result', 'seconds of the first hierarchy after '
             'installation, nothing compiled yet', 8., False, _first_result),
    ]
}
OPTIONS = dict(
    only=dict(nargs='+', choices=GOALS, metavar='NAME',
              help=f'some of {", ".join(GOALS)} (default: all for the '
              'device)'),
    rounds=dict(type=int, default=9, quick=3, help='turns of each variant'),
    hsg_images=dict(type=int, default=24, quick=12,
                    help="images of a batch of HSG's losses"))


def _is_here(name: str) -> bool:
    if name != _BF16:
        return find_spec(name) is not None
    # Instructions that the environment switches off are not used.
    return (torch.backends.cpu.get_cpu_capability() == 'AVX512'
            and torch.cpu.get_capabilities()['avx512_bf16'])


def run(args: Namespace) -> Report:
    """Measure goals, one after the other."""
    goals = [GOALS[name] for name in args.only] if args.only else [
        goal for goal in GOALS.values() if args.device in goal.devices
    ]
    others = [goal.name for goal in goals if args.device not in goal.devices]
    if others:
        raise UserError(f'--only {" ".join(others)}: no goal for --device '
                        f'{args.device}')
    settings = Settings(rounds=args.rounds, hsg_images=args.hsg_images,
                        threads=args.threads, device=args.device)
    rows, results, missed = [], {}, []
    for i, goal in enumerate(goals):
        args.progress(f'{i + 1} of {len(goals)}: {goal.name}')
        missing = [x for x in goal.needs if not _is_here(x)]
        value, words, verdict = None, '', 'not measured'
        if missing:
            words = f'needs {" and ".join(missing)}'.replace('_', '-')
        else:
            value, words = goal.measure(settings)
            verdict = 'pass'
            if not goal.is_met(value):
                verdict = '**short of goal**'
                missed.append(goal.name)
        results[goal.name] = dict(value=value, words=words)
        rows.append([
            goal.words,
            f'{"at least" if goal.at_least else "at most"} {goal.bound:g}',
            '–' if value is None else f'{value:.3g}', verdict, words
        ])
    table = markdown_table(('ratio', 'goal', 'measured', 'verdict', 'from'),
                           rows)
    return Report({f'goals on {args.place}': table}, results, tuple(missed))
