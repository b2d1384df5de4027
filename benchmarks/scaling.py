"""Time and memory of CAST-S and ViT-S as images and batches grow.

Legend: N = (side / 16)^2 tokens: segments of CAST, patches of the ViT.
"""

from argparse import Namespace

import torch

from benchmarks.memory import peak_bytes
from benchmarks.models import CONTENDERS, Contender
from benchmarks.report import Report, markdown_table
from benchmarks.runtime import check_modes
from benchmarks.steps import MODES, Step
from benchmarks.timing import paired_ratio, spread, take_turns
from mmhierseg._base.errors import UserError

__all__ = ['measure', 'points_of', 'run', 'scaled']

OPTIONS = dict(
    modes=dict(nargs='+', choices=MODES,
               default=['inference-fp32', 'training-fp32'], help='steps'),
    sizes=dict(nargs='+', type=int, default=[224, 384, 512, 768, 1024],
               quick=[224, 384],
               help='sides of images, multiples of 32, at the first batch '
               'size'),
    batches=dict(nargs='+', type=int, default=[1, 4, 16, 64], quick=[1, 4],
                 help='batch sizes, at the first side'),
    max_seconds=dict(type=float, default=10.,
                     help='leave out what would take longer for one step of '
                     'the ViT'),
    repeats=dict(type=int, default=2, help='rounds'))
_PATCH = 16
#: Share of the tokens that each pooling of CAST-S leaves: 64, 32, 16 and 8
#: of 196.
_SHARES = tuple(number / 196 for number in (64, 32, 16, 8))
_HEADER = ('step', 'side', 'tokens', 'batch', 'ms, CAST-S', 'ms, ViT-S',
           'time : ViT', 'peak MiB, CAST-S', 'peak MiB, ViT-S',
           'memory : ViT')


def points_of(sizes: list[int], batches: list[int]) -> list[tuple[int, int]]:
    """Sides and batch sizes to measure at, the cheapest first.

    Example:
        >>> points_of([64, 96], [1, 2])
        [(64, 1), (64, 2), (96, 1)]
    """
    points = {(size, batches[0]) for size in sizes}
    points |= {(sizes[0], number) for number in batches}
    return sorted(points, key=lambda point: (_work(*point), point))


def _work(size: int, batch: int) -> float:
    """Proportional to the time that all but attention takes."""
    return (size // _PATCH)**2 * batch


def scaled(img_size: int) -> Contender:
    """CAST-S whose poolings leave the same shares of more tokens."""
    tokens = (img_size // _PATCH)**2
    clusters = [max(round(share * tokens), 1) for share in _SHARES]
    return CONTENDERS['cast-s']._replace(
        classifier_options={'model.backbone.num_clusters': clusters})


def measure(mode: str, size: int, batch: int, repeats: int,
            device: str) -> dict[str, dict]:
    """Time both models in turns, and count their memory.

    Returns:
        dict[str, dict]: By model, ``seconds`` of a step in each round and
        ``peak`` in bytes; empty where a GPU's memory does not suffice.
    """
    models = {'cast-s': scaled(size), 'vit-s': CONTENDERS['vit-s']}
    try:
        steps = {
            name: Step(model, MODES[mode], batch, size, False, device)
            for name, model in models.items()
        }
        seconds = take_turns(steps, repeats, warmup=1, device=device)
        return {
            name: dict(
                seconds=seconds[name],
                peak=step.held_bytes() + peak_bytes(step, device))
            for name, step in steps.items()
        }
    except torch.OutOfMemoryError:
        return {}


def _cells(models: dict[str, dict]) -> list[str]:
    if not models:
        return ['–'] * 6
    cast, vit = models['cast-s'], models['vit-s']
    return [
        *(f'{1e3 * spread(one["seconds"]).median:.4g}' for one in (cast, vit)),
        f'{paired_ratio(cast["seconds"], vit["seconds"]).median:.2f}',
        *(f'{one["peak"] / 2**20:.0f}' for one in (cast, vit)),
        f'{cast["peak"] / vit["peak"]:.2f}'
    ]


def run(args: Namespace) -> Report:
    """Measure all points of all modes."""
    if any(size % 32 for size in args.sizes):
        raise UserError(f'--sizes must be multiples of 32, got {args.sizes}')
    check_modes(Namespace(**vars(args), img_size=32))
    results, rows = [], []
    for mode in args.modes:
        rate = 0.
        for size, batch in points_of(args.sizes, args.batches):
            measured = {}
            # The latest point of the ViT, whose attention grows faster than
            # the rest, says most about the next.
            if rate * _work(size, batch) <= args.max_seconds:
                measured = measure(mode, size, batch, args.repeats,
                                   args.device)
            if measured:
                rate = spread(measured['vit-s']['seconds']).median / _work(
                    size, batch)
            args.progress(f'{mode}, {size} x {batch}: '
                          f'{"done" if measured else "left out"}')
            results.append(dict(mode=mode, size=size, batch=batch,
                                models=measured))
    for one in sorted(results, key=lambda x: (x['mode'], x['batch'],
                                              x['size'])):
        rows.append([
            MODES[one['mode']].title, f'{one["size"]}',
            f'{(one["size"] // _PATCH)**2:,}', f'{one["batch"]}',
            *_cells(one['models'])
        ])
    text = f'{args.repeats} rounds\n\n{markdown_table(_HEADER, rows)}'
    return Report({f'scaling on {args.place}': text}, results)
