"""Superpixels or patches, pooling or none, at the size of CAST-S.

Minutes on a GPU: less a result than a check that the full size trains there.
``--quick`` tries it on a CPU. Protocol: ``benchmarks/real.md``.
"""

from argparse import Namespace

from benchmarks.real.recognition import compare, probe
from benchmarks.real.results import Results
from benchmarks.real.trainings import Training, run_trainings
from benchmarks.report import Report

_CELLS = {
    name: f'configs/baselines/2x2/{stem}_coco.py'
    for name, stem in (('superpixels, pooling', 'superpixel_pooling'),
                       ('superpixels', 'superpixel'),
                       ('patches, pooling', 'patch_pooling'),
                       ('patches', 'patch'))
}
_EPOCHS = 5


def run(args: Namespace) -> Report:
    """Train and probe what is missing."""
    seed = args.seeds[0]
    trainings = {name: _training(name, seed, args) for name in _CELLS}
    checkpoints = run_trainings(list(trainings.values()), args)
    results = Results.of('cast-s', args)
    for name, config in _CELLS.items():
        results.measure(
            f'cast-s, {name}, seed {seed}', probe, config,
            checkpoints[trainings[name].name], args.data / 'imagenette',
            (256, 224), args.device, 20 if args.quick else None)
    return Report({f'CAST-S on {args.place}': compare(
        results, 'cast-s', ('linear', 'neighbours'), list(_CELLS), [seed])},
        results.entries())


def _training(name: str, seed: int, args: Namespace) -> Training:
    options = {
        'randomness.seed': seed,
        'train_dataloader.dataset.data_root': args.data / 'imagenette',
        'train_dataloader.dataset.data_prefix': 'train',
        'train_dataloader.batch_size': 4 if args.quick else 250,
        'train_dataloader.num_workers': 1 if args.quick else 14,
        'train_cfg.max_epochs': 1 if args.quick else _EPOCHS,
        'param_scheduler.0.end': 1,
        'param_scheduler.1.begin': 1,
        'param_scheduler.1.T_max': _EPOCHS - 1,
        'param_scheduler.1.end': _EPOCHS,
        # The rate that the recipe has for the batch, times 4 for few steps.
        'optim_wrapper.optimizer.lr': 6e-4,
        'default_hooks.checkpoint.interval': 1,
        'default_hooks.logger.interval': 5,
    }
    folder = 'cast-s'
    if args.quick:
        options['train_dataloader.dataset.indices'] = 8
        folder = 'quick/cast-s'
    stem = _CELLS[name].rsplit('/', 1)[1].removesuffix('.py')
    return Training(f'{folder}-{stem}-seed{seed}', _CELLS[name], options)
