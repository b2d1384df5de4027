"""Time and peak memory of CAST against MMPretrain's ViT and Swin."""

from argparse import Namespace

from benchmarks.memory import peak_bytes
from benchmarks.models import CONTENDERS
from benchmarks.report import Report, markdown_table
from benchmarks.steps import GPU_MODES, MODES, Step
from benchmarks.timing import paired_ratio, spread, take_turns
from mmhierseg._base.errors import UserError

__all__ = ['check_modes', 'measure', 'run', 'to_table']

OPTIONS = dict(
    models=dict(nargs='+', choices=CONTENDERS,
                default=[x for x in CONTENDERS if x != 'cast-s-compiled'],
                quick=['vit-s', 'cast-s', 'swin-t'],
                help='ratios need the ViT of the same size'),
    modes=dict(nargs='+', choices=MODES, default=None,
               help='default: all; on the CPU without training in bf16'),
    batch_size=dict(type=int, default=8, quick=4, help='images in a step'),
    img_size=dict(type=int, default=224,
                  help='height and width, a multiple of 32'),
    repeats=dict(type=int, default=10, quick=3, help='rounds'))
_HEADER = ('model', 'backbone, M', 'images/s', 'ms/image (quartiles)',
           'time : ViT', 'peak MiB', 'memory : ViT', 'images/s with SP',
           'time : ViT with SP', 'peak MiB with SP')
_NONE = '–'


def check_modes(args: Namespace) -> list[str]:
    """Modes that the device can run.

    Raises:
        UserError: If one is named that it cannot.
    """
    if args.img_size % 32:
        raise UserError('--img-size must be a multiple of 32, got '
                        f'{args.img_size}')
    gpu_only = set() if args.device == 'cuda' else set(GPU_MODES)
    if gpu_only & set(args.modes or ()):
        raise UserError(f'--modes {" ".join(GPU_MODES)}: measured on a GPU '
                        'only; add --device cuda')
    return args.modes or [mode for mode in MODES if mode not in gpu_only]


def measure(mode: str, args: Namespace) -> list[dict]:
    """Measure all models in one mode, in turns.

    Args:
        mode (str): One of ``MODES``.
        args (Namespace): Options.

    Returns:
        list[dict]: For each model, with superpixels given and made in the
        step where it takes any: ``model``, ``superpixels`` ('none', 'given',
        'made'), ``parameters`` of the backbone, ``seconds`` a step in each
        round, and ``peak`` in bytes.
    """
    steps = {}
    for name in args.models:
        takes = CONTENDERS[name].takes_superpixels
        for superpixels in ('given', 'made') if takes else ('none', ):
            steps[f'{name}, superpixels {superpixels}'] = Step(
                CONTENDERS[name], MODES[mode], args.batch_size,
                args.img_size, superpixels == 'made', args.device)
    seconds = take_turns(
        steps, args.repeats, device=args.device,
        progress=lambda message: args.progress(f'{mode}: {message}'))
    return [
        dict(
            model=call.split(',')[0],
            superpixels=call.split()[-1],
            parameters=sum(
                x.numel() for x in step.model.backbone.parameters()),
            seconds=seconds[call],
            peak=step.held_bytes() + peak_bytes(step, args.device))
        for call, step in steps.items()
    ]


def to_table(results: list[dict], batch_size: int) -> str:
    """Make the table of a mode from what :func:`measure` returns."""
    found = {(x['model'], x['superpixels']): x for x in results}
    rows = []
    for one in results:
        if one['superpixels'] == 'made':
            continue
        base = found.get((CONTENDERS[one['model']].baseline, 'none'))
        made = found.get((one['model'], 'made'))
        time = spread([1e3 * x / batch_size for x in one['seconds']])
        rows.append([
            one['model'], f'{one["parameters"] / 1e6:.1f}',
            f'{1e3 / time.median:.4g}',
            f'{time.median:.4g} ({time.low:.4g}–{time.high:.4g})',
            _ratio(one, base), f'{one["peak"] / 2**20:.0f}',
            f'{one["peak"] / base["peak"]:.2f}' if base else _NONE,
            f'{batch_size / spread(made["seconds"]).median:.4g}'
            if made else _NONE, _ratio(made, base),
            f'{made["peak"] / 2**20:.0f}' if made else _NONE
        ])
    return markdown_table(_HEADER, rows)


def _ratio(one: dict | None, base: dict | None) -> str:
    if not one or not base:
        return _NONE
    return f'{paired_ratio(one["seconds"], base["seconds"]).median:.2f}'


def run(args: Namespace) -> Report:
    """Measure all modes."""
    results = {mode: measure(mode, args) for mode in check_modes(args)}
    size = args.img_size
    text = [f'{size} x {size} pixels, batches of {args.batch_size}; '
            f'{args.repeats} rounds']
    for mode, one in results.items():
        text += [f'**{MODES[mode].title}.** {MODES[mode].meaning}.',
                 to_table(one, args.batch_size)]
    return Report({f'runtime on {args.place}': '\n\n'.join(text)}, results)
