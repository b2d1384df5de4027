"""The parts of a step: which operators belong to which.

Forward passes run inside of named ranges. A node of the backward pass has the
number of the operator that it belongs to, so it counts for the same part.
"""

import contextlib
from typing import Callable, Dict, Iterator, List, Optional, Tuple
from unittest import mock

import torch
from torch import Tensor, nn
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import (
    flop_registry,
    sdpa_backward_flop_count,
    sdpa_flop_count,
)

from mmhierseg.models.necks import graph_pooling

from .work import Step

__all__ = ['count_operations', 'label_parts', 'profile_parts']

_PREFIX = 'part: '
_BACKWARD = 'autograd::engine::evaluate_function: '
_REST = 'everything else'
_TOP = 'projectors, predictor and loss'


def _count_attention(query: Tensor, key: Tensor, value: Tensor, *_: object,
                     **__: object) -> int:
    return sdpa_flop_count(query.shape, key.shape, value.shape)


def _count_attention_backward(grad: Tensor, query: Tensor, key: Tensor,
                              value: Tensor, *_: object,
                              **__: object) -> int:
    return sdpa_backward_flop_count(grad.shape, query.shape, key.shape,
                                    value.shape)


_ATTENTION = '_scaled_dot_product_flash_attention_for_cpu'
#: PyTorch's own, without attention on the CPU.
_COUNTS: Dict[object, Callable] = {
    **flop_registry,
    getattr(torch.ops.aten, _ATTENTION): _count_attention,
    getattr(torch.ops.aten, f'{_ATTENTION}_backward'):
    _count_attention_backward,
}


@contextlib.contextmanager
def label_parts(step: Step) -> Iterator[List[str]]:
    """Put names on the parts of a step while it runs.

    Args:
        step (Step): Of CAST or a ViT, in any mode.

    Yields:
        list[str]: The parts that are running, the innermost last.
    """
    running: List[str] = []

    def labelled(call: Callable, name: str) -> Callable:
        def inner(*args, **kwargs):
            running.append(name)
            with record_function(_PREFIX + name):
                result = call(*args, **kwargs)
            running.pop()
            return result

        return inner

    with contextlib.ExitStack() as stack:
        for owner, attribute, name in _parts(step.model):
            call = getattr(owner, attribute)
            stack.enter_context(mock.patch.object(owner, attribute,
                                                  labelled(call, name)))
        yield running


def _parts(model: nn.Module) -> Iterator[Tuple[object, str, str]]:
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


def _part_of(words: List[str]) -> Optional[str]:
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


def count_operations(step: Step, running: List[str]) -> Dict[str, int]:
    """Count what matrix products and convolutions have to do.

    Args:
        step (Step): Labelled by :func:`label_parts`.
        running (list[str]): What that yields.

    Returns:
        Dict[str, int]: Floating-point operations by part, those of the
        backward pass included.
    """
    counts: Dict[str, int] = {}
    owners: Dict[int, str] = {}

    class Counter(TorchDispatchMode):

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            count = _COUNTS.get(func._overloadpacket)
            if count is not None:
                node = torch._C._current_autograd_node()
                if node is None:
                    name = running[-1] if running else _REST
                    # The number of the operator's node, if it has one.
                    owners[torch._C._autograd._get_sequence_nr() - 1] = name
                else:
                    name = owners.get(node._sequence_nr(), _REST)
                counts[name] = counts.get(name, 0) + count(
                    *args, **(kwargs or {}), out_val=result)
            return result

    with Counter():
        step()
    return counts


def profile_parts(step: Step, repeats: int,
                  device: str) -> Dict[str, Tuple[float, float]]:
    """Time all parts.

    Args:
        step (Step): Labelled by :func:`label_parts`.
        repeats (int): Steps.
        device (str): 'cpu' or 'cuda', whose time counts.

    Returns:
        Dict[str, Tuple[float, float]]: Seconds of a step, forward and
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
    seconds: Dict[str, List[float]] = {}
    for event in events:
        own = (event.self_device_time_total
               if device == 'cuda' else event.self_cpu_time_total)
        name, backward = _owner(event, owners)
        spent = seconds.setdefault(name, [0., 0.])
        spent[backward] += own * 1e-6 / repeats
    return {name: tuple(spent) for name, spent in seconds.items()}


def _owner(event: FunctionEvent, owners: Dict[int, str]) -> Tuple[str, bool]:
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


def _node(event: FunctionEvent) -> Optional[FunctionEvent]:
    """Node of the backward pass that an operator runs in."""
    while event is not None:
        if event.name.startswith(_BACKWARD):
            return event
        event = event.cpu_parent
    return None
