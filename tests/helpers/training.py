"""A runner whose model keeps the random numbers it was trained with."""

import random
from uuid import uuid4

import numpy as np
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.model import BaseModel
from mmengine.runner import Runner

from mmhierseg.checkpoints import read_safely
from mmhierseg.engine import RandomStateHook
from mmhierseg.engine.device import CPUDistributedDataParallel


def differences(a, b, name=''):
    """Paths of the values that differ in two nested containers."""
    if type(a) is not type(b):
        return [name]
    if isinstance(a, torch.Tensor):
        return [] if torch.equal(a, b) else [name]
    if isinstance(a, (list, tuple)):
        a, b = dict(enumerate(a)), dict(enumerate(b))
    if not isinstance(a, dict):
        return [] if a == b else [name]
    if a.keys() != b.keys():
        return [name]
    return [d for k in a for d in differences(a[k], b[k], f'{name}.{k}')]


class Draws(torch.utils.data.Dataset):
    """Each item is its index and a number from each generator."""

    metainfo = {}

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return dict(
            inputs=torch.tensor([
                index, random.random(), np.random.rand(),
                torch.rand(1).item()
            ]))


class Recorder(BaseModel):
    """Draws a number of its own in each step."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen = []

    def forward(self, inputs, mode):
        own = torch.rand(1)
        if mode == 'loss':
            self.seen.append(torch.cat([inputs.flatten(), own]))
            return dict(loss=self.weight.sum())
        return [self.weight.item()]


class Nothing(BaseMetric):

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        return dict(score=1.)


def recorded_run(folder, epochs=3, val=False, workers=0, persistent=True,
                 own_init=False, hook=True, diff_rank_seed=False, seed=0,
                 sampler='DefaultSampler', checkpoint=None, other_hooks=(),
                 **options):
    """(iterations, 9) numbers: two items of a batch, the model's own."""
    read_safely()
    loader = dict(
        batch_size=2,
        dataset=Draws(),
        collate_fn=dict(type='default_collate'),
        sampler=dict(type='DefaultSampler', shuffle=True))
    training = dict(
        loader,
        sampler=dict(type=sampler, shuffle=True),
        num_workers=workers,
        persistent_workers=persistent and workers > 0)
    if own_init:
        training['worker_init_fn'] = dict(type=seed_by_seven)
    if val:
        options.update(
            val_dataloader=dict(loader, num_workers=0),
            val_cfg=dict(),
            val_evaluator=Evaluator([Nothing() if val is True else val]))
    options.setdefault('train_cfg', dict(by_epoch=True, max_epochs=epochs))
    model = Recorder()
    Runner(
        model,
        str(folder),
        train_dataloader=training,
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(
            checkpoint=dict(
                dict(type='CheckpointHook', interval=1), **checkpoint or {})),
        custom_hooks=[RandomStateHook()] * hook + list(other_hooks),
        randomness=dict(seed=seed, diff_rank_seed=diff_rank_seed),
        # Of another run in the same second, MMEngine would take the log.
        experiment_name=uuid4().hex,
        **options).train()
    return torch.stack(model.seen or [torch.zeros(0)])[:len(model.seen)]


def recorded_iterations(folder, iterations=7, sampler='InfiniteSampler',
                        checkpoint=None, **options):
    """As :func:`recorded_run`; two iterations see the dataset once."""
    return recorded_run(
        folder,
        sampler=sampler,
        checkpoint=dict(checkpoint or {}, by_epoch=False),
        train_cfg=dict(
            by_epoch=False, max_iters=iterations, val_interval=2),
        **options)


def seed_by_seven(worker_id):
    """A custom worker_init_fn."""
    for module in (random, np.random):
        module.seed(7)
    torch.manual_seed(7)


def record_two_processes(rank, folder):
    """Uninterrupted and resumed runs of one of two processes."""
    options = dict(
        launcher='pytorch',
        diff_rank_seed=True,
        cfg=dict(
            model_wrapper_cfg=dict(
                type=CPUDistributedDataParallel.__name__, device_ids=None)))
    by_iterations = dict(options, workers=1, iterations=3, val=True)
    runs = []
    for run, kind, settings in ((recorded_run, 'epoch', options),
                                (recorded_iterations, 'iter', by_iterations)):
        runs.append(run(folder / kind / 'whole', **settings))
        first = str(folder / kind / 'whole' / f'{kind}_1.pth')
        runs.append(
            run(folder / kind / 'parts', resume=True, load_from=first,
                **settings))
    torch.save(runs, folder / f'{rank}.pth')
