"""All speed goals in one table: ratios, bounds, and whether they hold."""

import traceback
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import NamedTuple

import torch

from benchmarks import goal_measures as measures
from benchmarks.goal_measures import Measured, Settings
from benchmarks.report import Report, markdown_table
from benchmarks.superpixels import FAST_SLIC
from mmhierseg._base.errors import UserError

__all__ = ['GOALS', 'Goal', 'Measured', 'Settings', 'run']


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


_BOTH = ('cpu', 'cuda')
_BF16 = 'instructions for bfloat16'
_PLAIN = [
    ('inference-fp32', 'inference in fp32', 1.35),
    ('inference-bf16', 'inference in bf16', 1.3),
    ('training-fp32', 'training step in fp32', 1.3),
    ('training-bf16', 'training step in bf16', 1.2),
]
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
        *(Goal(name, f'superpixels at {measures.SUPERPIXELS[size][0]} '
               f'segments: time of {base} over {own}, one core', bound,
               own != FAST_SLIC,
               partial(measures.superpixel_speed, own=own, baseline=base,
                       size=size),
               needs=tuple(_NEEDS[x] for x in (own, base) if x in _NEEDS))
          for name, own, base, size, bound in _SPEEDS),
        Goal('slic-fast-slic-br', 'boundary recall: TorchSLIC over '
             f'{FAST_SLIC}', 1., True,
             partial(measures.superpixel_quality, measure='boundary recall',
                     baseline=FAST_SLIC), needs=('fast_slic', )),
        *(Goal(f'slic-{short}', f'{words}: TorchSLIC over SEEDS (15, 20)', 1.,
               short != 'ue',
               partial(measures.superpixel_quality, measure=words))
          for short, words in _QUALITIES.items()),
        Goal('slic-gpu', f'superpixels of {measures.VIEWS} views of 224 over '
             'the step of MoCo v3 that takes them, CAST-S', 0.05, False,
             measures.share_of_step, devices=('cuda', )),
        Goal('sampling', 'farthest point sampling over the forward pass of '
             'CAST-S', 0.02, False, measures.sampling, devices=_BOTH),
        *(Goal(f'sampling-{224 * scale}', f'the same at {224 * scale}, '
               f'{196 * scale**2:,} tokens', bound, False,
               partial(measures.sampling, scale=scale), devices=_BOTH)
          for scale, bound in ((4, 0.03), (6, 0.03), (8, 0.05))),
        Goal('import', 'seconds that importing the models adds to those of '
             'MMPretrain and MMSegmentation', 0.3, False, measures.imports),
        Goal('cast-fp32', 'inference in fp32: CAST-S over ViT-S', 0.75, False,
             partial(measures.against_vit, mode='inference-fp32')),
        Goal('cast-bf16', 'inference in bf16: CAST-S over ViT-S', 0.85, False,
             partial(measures.against_vit, mode='inference-bf16')),
        *(Goal(f'plain-{mode}', f'{words}: CAST-S written down plainly over '
               'that of the package', bound, True,
               partial(measures.against_plain, mode=mode),
               needs=(_BF16, ) if mode.endswith('bf16') else ())
          for mode, words, bound in _PLAIN),
        Goal('small-operators', 'step of MoCo v3, CAST-S: operators that are '
             'no products, convolutions or attention, over all', 0.12, False,
             measures.small_operators),
        Goal('cast-moco', 'step of MoCo v3: CAST-S over ViT-S', 0.9, False,
             partial(measures.against_vit, mode='pretraining-fp32')),
        *(Goal(f'dense-{output}-{task}-{quantity}',
               f'segmentation at 512, {task}, {output}: {quantity} of CAST-S '
               'over Segmenter ViT-S', 1., False,
               partial(measures.segmentor, output=output,
                       training=task == 'training', quantity=quantity),
               devices=_BOTH)
          for output in measures.OWN for task in ('inference', 'training')
          for quantity in ('time', 'memory')),
        *(Goal(f'whole-{quantity}', f'segmentation of 1024 x 2048, inference: '
               f'{quantity} of CAST-S over Segmenter ViT-S', bound, False,
               partial(measures.whole_images, quantity=quantity),
               devices=_BOTH)
          for quantity, bound in (('time', 0.5), ('memory', 1.))),
        Goal('pipeline', 'pipeline of MoCo v3, images per second: TorchSLIC '
             'over SEEDS (15, 20) in the loader', 1.3, True,
             measures.images_per_second),
        Goal('hsg', "HSG's k-means, contrast and grouping together: time of "
             'the naive reference over that of the package', 3., True,
             partial(measures.hsg_speed, works=tuple(_HSG)), devices=_BOTH),
        *(Goal(f'hsg-{work}', f'{words} alone: time of the naive reference '
               'over that of the package', 3., True,
               partial(measures.hsg_speed, works=(work, )), devices=_BOTH)
          for work, words in _HSG.items() if work != 'kmeans'),
        *(Goal(f'hsg-{work}-memory', f'memory of {words} with four times the '
               'images, over four times the vectors', 1.1, False,
               partial(measures.hsg_memory, work=work), devices=_BOTH)
          for work, words in _HSG.items()),
        Goal('retrieval-memory', 'memory of retrieval with four times the '
             'pairs of query and entry, over that with one', 1.1, False,
             measures.retrieval_memory, devices=_BOTH),
        Goal('segment-means-memory', 'MiB of means over 8,192 segments at '
             '1024 x 2048, 384 channels, pairs not counted', 150., False,
             measures.mean_memory, devices=_BOTH),
        Goal('segment-means-time', 'their time over that with pairs counted',
             1., False, measures.mean_time),
        Goal('first-iteration', "seconds to the first iteration of the quick "
             "start's training, kernels compiled", 6., False,
             measures.first_iteration),
        # Last, because what it starts compiles for half a minute.
        Goal('first-result', 'seconds of the first hierarchy after '
             'installation, nothing compiled yet', 8., False,
             measures.first_result),
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


def _measure(goal: Goal, settings: Settings) -> Measured:
    """Measure a goal; one that fails is missed, and the others stand."""
    try:
        return goal.measure(settings)
    except Exception as error:
        traceback.print_exc()
        return Measured(float('nan'), f'failed: {type(error).__name__}')


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
            value, words = _measure(goal, settings)
            args.progress(f'{goal.name}: {value:.3g}, {words}')
            verdict = 'pass'
            if not goal.is_met(value):
                verdict = '**short of goal**'
                missed.append(goal.name)
        # JSON has no NaN.
        results[goal.name] = dict(
            value=value if value == value else None, words=words)
        rows.append([
            goal.words,
            f'{"at least" if goal.at_least else "at most"} {goal.bound:g}',
            '–' if value is None else f'{value:.3g}', verdict, words
        ])
    table = markdown_table(('ratio', 'goal', 'measured', 'verdict', 'from'),
                           rows)
    return Report({f'goals on {args.place}': table}, results, tuple(missed))
