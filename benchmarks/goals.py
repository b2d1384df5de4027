"""All speed goals in one table: ratios, bounds, and whether they hold."""

import os
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import torch

from benchmarks import hsg, segmentation
from benchmarks.hsg_batch import make_batch
from benchmarks.images import make_photographs, write_photographs
from benchmarks.memory import peak_bytes
from benchmarks.models import CONTENDERS
from benchmarks.pipeline import BASELINE as SEEDS_LOADER
from benchmarks.pipeline import Pass
from benchmarks.report import Report, markdown_table
from benchmarks.retrieval import make_bank, retrieve
from benchmarks.segment_means import make_means
from benchmarks.steps import MODES, Step
from benchmarks.superpixels import Method, rate, time_methods
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
    needs_numba: bool = False

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
def _time_superpixels(settings: Settings, large: bool
                      ) -> dict[str, list[float]]:
    size = settings.large_size if large else settings.img_size
    number = max(settings.images // 3, 1) if large else settings.images
    names = ['SEEDS (15, 20)', 'SEEDS (5, 15)', 'TorchSLIC, torch only']
    if has_numba():
        names.append('TorchSLIC')
    with run_threads(1):
        return time_methods(names, make_photographs(number, size), 1, _SIDE,
                            2 * settings.rounds + 1)


def _superpixel_speed(settings: Settings, own: str, baseline: str,
                      large: bool) -> Measured:
    seconds = _time_superpixels(settings, large)
    return _compare(seconds[baseline], seconds[own], 1e3, 'ms an image')


@cache
def _rate_superpixels(settings: Settings) -> dict[str, dict]:
    return rate(['SEEDS (15, 20)', 'TorchSLIC'], settings.img_size, _SIDE,
                settings.images)


def _superpixel_quality(settings: Settings, measure: str) -> Measured:
    ratings = _rate_superpixels(settings)
    own, base = (ratings[x][measure] for x in ('TorchSLIC', 'SEEDS (15, 20)'))
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


def _sampling(settings: Settings, scale: int = 1) -> Measured:
    """Time of all farthest point sampling over that of a forward pass.

    Images are larger by a factor, and there are fewer of them.
    """
    step = Step(CONTENDERS['cast-s'], MODES['inference-fp32'],
                max(settings.batch_size // scale**2, 1),
                settings.img_size * scale, False, settings.device)
    backbone = step.model.backbone
    with run_threads(settings.threads), torch.no_grad():
        inputs = step.model.data_preprocessor(
            dict(inputs=step.views[0]))['inputs']
        # The output of forward comes from the last stage, before its pooling.
        tokens = backbone.forward_hierarchy(inputs).tokens[:-1]
        calls = [(x.contiguous(), pool.num_clusters)
                 for x, pool in zip(tokens, backbone.pools)]
        seconds = take_turns(
            dict(
                sampling=lambda: [farthest_point_sampling(*x) for x in calls],
                forward=partial(backbone, inputs)),
            2 * settings.rounds // scale + 1, device=settings.device)
    return _compare(seconds['sampling'], seconds['forward'], 1e3,
                    'ms a batch')


def _imports(settings: Settings) -> Measured:
    """Seconds that this package adds to those of its hosts."""
    # First, for it repairs the hosts.
    hosts = 'import mmhierseg, mmpretrain.models, mmseg.models'
    seconds = take_turns(
        dict(hosts=partial(_run, hosts),
             both=partial(_run, f'{hosts}; import mmhierseg.models')),
        settings.rounds, min_seconds=0.)
    both, alone = (spread(seconds[name]).median for name in ('both', 'hosts'))
    return Measured(both - alone, f'{both:.2f} : {alone:.2f} s')


_FIRST = """
import sys
from mmhierseg.apis import HierarchyInferencer
HierarchyInferencer(show_progress=False)(sys.argv[1], return_vis=False)
"""


def _first_result(settings: Settings) -> Measured:
    """Seconds of a process that segments a photograph, nothing compiled."""
    with tempfile.TemporaryDirectory() as folder:
        write_photographs(Path(folder), 1)
        photo = str(next(Path(folder).rglob('*.*')))

        def run() -> None:
            # What compiles in the background still writes to it.
            with tempfile.TemporaryDirectory(
                    ignore_cleanup_errors=True) as cache:
                _run(_FIRST, photo, MMHIERSEG_HOME=cache,
                     NUMBA_CACHE_DIR=cache)

        seconds = take_turns(dict(first=run), 1, 1, 0.)['first']
    return Measured(spread(seconds).median, 'a process on its own')


def _run(program: str, *arguments: str, **variables: str) -> None:
    environment = {**os.environ, **variables}
    environment.pop('MMHIERSEG_COMPILED', None)
    subprocess.run([sys.executable, '-W', 'ignore', '-c', program, *arguments],
                   check=True, capture_output=True, env=environment)


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


def _segmentation(settings: Settings, output: str, training: bool,
                  quantity: str) -> Measured:
    measured = _measure_segmentors(settings, training)
    own, base = measured[_OWN[output]], measured[segmentation.BASELINE]
    if quantity == 'time':
        return _compare(own['seconds'], base['seconds'], 1 / _BATCH,
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
_SPEEDS = [
    # name, TorchSLIC, baseline, at 512, bound
    ('slic-224', 'TorchSLIC', 'SEEDS (15, 20)', False, 3.5),
    ('slic-224-fast-seeds', 'TorchSLIC', 'SEEDS (5, 15)', False, 1.8),
    ('slic-512', 'TorchSLIC', 'SEEDS (15, 20)', True, 6.),
    ('slic-512-fast-seeds', 'TorchSLIC', 'SEEDS (5, 15)', True, 2.2),
    ('slic-torch-224', 'TorchSLIC, torch only', 'SEEDS (15, 20)', False, 2.),
    ('slic-torch-512', 'TorchSLIC, torch only', 'SEEDS (15, 20)', True, 4.),
]
_QUALITIES = dict(
    ev='explained variation', asa='achievable segmentation accuracy',
    ue='under-segmentation error', br='boundary recall')
#: k-means is a few percent of the three together and has no goal of its own.
_HSG = dict(kmeans='k-means', contrast='contrast', grouping='grouping')
GOALS = {
    goal.name: goal
    for goal in [
        *(Goal(name, f'superpixels at {"512, 1024" if large else "224, 196"} '
               f'segments: {base} over {own}, one core', bound, True,
               partial(_superpixel_speed, own=own, baseline=base, large=large),
               needs_numba=own == 'TorchSLIC')
          for name, own, base, large, bound in _SPEEDS),
        *(Goal(f'slic-{short}', f'{words}: TorchSLIC over SEEDS (15, 20)', 1.,
               short != 'ue', partial(_superpixel_quality, measure=words))
          for short, words in _QUALITIES.items()),
        Goal('slic-gpu', f'superpixels of {_VIEWS} views of 224 over the step '
             'of MoCo v3 that takes them, CAST-S', 0.05, False,
             _share_of_step, devices=('cuda', )),
        Goal('sampling', 'farthest point sampling over the forward pass of '
             'CAST-S', 0.02, False, _sampling, devices=_BOTH),
        Goal('sampling-896', 'the same at 896, 3,136 tokens', 0.03, False,
             partial(_sampling, scale=4), devices=_BOTH),
        Goal('import', 'seconds that importing the models adds to those of '
             'MMPretrain and MMSegmentation', 0.3, False, _imports),
        Goal('cast-fp32', 'inference in fp32: CAST-S over ViT-S', 0.75, False,
             partial(_against_vit, mode='inference-fp32')),
        Goal('cast-bf16', 'inference in bf16: CAST-S over ViT-S', 0.85, False,
             partial(_against_vit, mode='inference-bf16')),
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
             2.5, False, _mean_time),
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
        value, words, verdict = None, 'needs numba', 'not measured'
        if has_numba() or not goal.needs_numba:
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
