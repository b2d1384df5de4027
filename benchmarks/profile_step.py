"""Where the time of a training step of CAST or a ViT goes.

A table of the parts of the step, forward and backward. Forward passes run
inside named ranges of the profiler. A node of the backward pass has the number
of the operator that it belongs to, so it counts for the same part.
"""

import contextlib
import re
from argparse import Namespace
from collections.abc import Callable, Iterator
from unittest import mock

import torch
from torch import nn
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile, record_function

from benchmarks.models import CONTENDERS
from benchmarks.report import Report, markdown_table
from benchmarks.steps import MODES, Step
from mmhierseg.models.necks import graph_pooling

__all__ = ['label_parts', 'profile_parts', 'run', 'time_operators']

OPTIONS = dict(
    model=dict(choices=['cast-s', 'cast-b', 'vit-s', 'vit-b'],
               default='cast-s', help='of the configs'),
    mode=dict(choices=MODES, default='pretraining-fp32', help='step'),
    batch_size=dict(type=int, default=8, help='images in a step'),
    img_size=dict(type=int, default=224, help='height and width'),
    repeats=dict(type=int, default=3, help='steps that are recorded'))
_LARGE = re.compile(r'^aten::(\w*mm|\w*conv\w*|\w*attention\w*)$')
_PREFIX = 'part: '
_BACKWARD = 'autograd::engine::evaluate_function: '
_REST = 'everything else'
_TOP = 'projectors, predictor and loss'


def time_operators(step: Step) -> tuple[float, float]:
    """Seconds of all operators of a step, and those of the small ones.

    Small are all but matrix products, convolutions and attention.
    """
    with profile(activities=[ProfilerActivity.CPU]) as record:
        step()
    seconds = [(event.key, event.self_cpu_time_total / 1e6)
               for event in record.key_averages()]
    return (sum(x for _, x in seconds),
            sum(x for name, x in seconds if not _LARGE.search(name)))


@contextlib.contextmanager
def label_parts(step: Step) -> Iterator[None]:
    """Name the parts of a step of CAST or a ViT while it runs."""

    def labelled(call: Callable, name: str) -> Callable:
        def inner(*args, **kwargs):
            with record_function(_PREFIX + name):
                return call(*args, **kwargs)

        return inner

    with contextlib.ExitStack() as stack:
        for owner, attribute, name in _parts(step.model):
            call = getattr(owner, attribute)
            stack.enter_context(mock.patch.object(owner, attribute,
                                                  labelled(call, name)))
        yield


def _parts(model: nn.Module) -> Iterator[tuple[object, str, str]]:
    """Where the parts are: an object, its function, the part's name."""
    yield graph_pooling, 'farthest_point_sampling', 'sampling'
    if getattr(model.data_preprocessor, 'superpixels', None) is not None:
        yield model.data_preprocessor, 'superpixels', 'superpixels'
    yield model.data_preprocessor, 'forward', 'normalisation'
    yield model.head, 'loss', _TOP
    for name, module in model.named_modules():
        # The momentum encoder is a sequence of backbone and neck.
        name = name.replace('momentum_encoder.module.0', 'backbone')
        name = name.replace('momentum_encoder.module.1', 'neck')
        part = _part_of(name.split('.'))
        if part is not None:
            yield module, 'forward', part


def _part_of(words: list[str]) -> str | None:
    """Part that a module is, by the words of its name."""
    if words == ['neck']:
        return _TOP
    if words[0] != 'backbone':
        return None
    # Its layers are called one by one.
    if len(words) == 5 and words[1:4] == ['tokenizer', 'stem', 'layers']:
        return 'stem'
    whole = {
        ('tokenizer', ): 'segment means and positions',
        ('patch_embed', ): 'patches'
    }
    if len(words) == 4 and words[1] == 'stages':
        return f'blocks of stage {int(words[2]) + 1}'
    if len(words) == 3 and words[1] in ('layers', 'pools'):
        number = int(words[2]) + 1
        return 'blocks' if words[1] == 'layers' else f'pooling {number}'
    return whole.get(tuple(words[1:]))


def profile_parts(step: Step, repeats: int,
                  device: str) -> dict[str, tuple[float, float]]:
    """Time all parts.

    Args:
        step (Step): Labelled by :func:`label_parts`.
        repeats (int): Steps.
        device (str): 'cpu' or 'cuda', whose time counts.

    Returns:
        dict[str, tuple[float, float]]: Seconds of a step, forward and
        backward, by part.
    """
    activities = [ProfilerActivity.CPU]
    if device == 'cuda':
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities) as record:
        with record_function(_REST):
            for _ in range(repeats):
                step()
    events = sorted((event for event in record.events()
                     if event.device_type == torch.autograd.DeviceType.CPU),
                    key=lambda event: event.time_range.start)
    # Several operators may have a number; the last of them is recorded in
    # the graph.
    owners = {event.sequence_nr: _owner(event, {})[0] for event in events
              if event.sequence_nr >= 0 and _node(event) is None}
    seconds: dict[str, list[float]] = {}
    for event in events:
        own = (event.self_device_time_total
               if device == 'cuda' else event.self_cpu_time_total)
        name, backward = _owner(event, owners)
        spent = seconds.setdefault(name, [0., 0.])
        spent[backward] += own * 1e-6 / repeats
    return {name: tuple(spent) for name, spent in seconds.items()}


def _owner(event: FunctionEvent, owners: dict[int, str]) -> tuple[str, bool]:
    """Part of an operator, and whether it belongs to the backward pass."""
    node = _node(event)
    if node is not None:
        return owners.get(node.sequence_nr, _REST), True
    while event is not None:
        if event.name.startswith(_PREFIX):
            return event.name[len(_PREFIX):], False
        if event.name.startswith('Optimizer.'):
            return 'optimizer', False
        event = event.cpu_parent
    return _REST, False


def _node(event: FunctionEvent) -> FunctionEvent | None:
    """Node of the backward pass that an operator runs in."""
    while event is not None:
        if event.name.startswith(_BACKWARD):
            return event
        event = event.cpu_parent
    return None


def run(args: Namespace) -> Report:
    """Profile a step; the longest part first."""
    contender = CONTENDERS[args.model]
    step = Step(contender, MODES[args.mode], args.batch_size, args.img_size,
                contender.takes_superpixels, args.device)
    step()
    with label_parts(step):
        seconds = profile_parts(step, args.repeats, args.device)
    total = sum(map(sum, seconds.values()))
    rows = [[
        name, f'{1e3 * (forward + backward):.1f}', f'{1e3 * backward:.1f}',
        f'{100 * (forward + backward) / total:.1f}'
    ] for name, (forward, backward) in sorted(
        seconds.items(), key=lambda x: -sum(x[1]))]
    rows.append(['all', f'{1e3 * total:.1f}',
                 f'{1e3 * sum(x for _, x in seconds.values()):.1f}', '100'])
    table = markdown_table(('part', 'ms', 'of it backward', 'share, %'), rows)
    text = (f'{args.model}, {MODES[args.mode].title}, {args.batch_size} '
            f'images of {args.img_size} pixels\n\n{table}')
    return Report({'profile of a step': text}, seconds)
