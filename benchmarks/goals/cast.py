"""Goals of CAST: against MMPretrain's ViT-S, and what sampling takes."""

from functools import partial
from typing import List, Tuple

import torch
from torch import Tensor

from benchmarks.common.timing import paired_ratio, spread, take_turns
from benchmarks.cost.models import CONTENDERS
from benchmarks.cost.work import MODES, Step
from mmhierseg.ops import farthest_point_sampling

from .goal import Goal, Measured, Settings, run_threads

__all__ = ['GOALS']


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
    times = [
        1e3 * spread(seconds[name]).median / settings.batch_size
        for name in ('cast-s', 'vit-s')
    ]
    return Measured(
        paired_ratio(seconds['cast-s'], seconds['vit-s']).median,
        f'{times[0]:.1f} : {times[1]:.1f} ms an image')


def _sampling(settings: Settings) -> Measured:
    """Time of all farthest point sampling over that of a forward pass."""
    step = Step(CONTENDERS['cast-s'], MODES['inference-fp32'],
                settings.batch_size, settings.img_size, False,
                settings.device)
    backbone = step.model.backbone
    with run_threads(settings.threads), torch.no_grad():
        inputs = step.model.data_preprocessor(
            dict(inputs=step.views[0]))['inputs']
        calls = _sampled(backbone, inputs)
        seconds = take_turns(
            dict(
                sampling=lambda: [farthest_point_sampling(*x) for x in calls],
                forward=partial(backbone, inputs)),
            2 * settings.rounds + 1, device=settings.device)
    times = [1e3 * spread(seconds[x]).median for x in ('sampling', 'forward')]
    return Measured(
        paired_ratio(seconds['sampling'], seconds['forward']).median,
        f'{times[0]:.2f} : {times[1]:.1f} ms a batch')


def _sampled(backbone: torch.nn.Module,
             inputs: Tensor) -> List[Tuple[Tensor, int]]:
    """Tokens that a forward pass samples from, and how many it picks."""
    tokens = backbone.forward_hierarchy(inputs).tokens
    # What forward returns comes from the last stage, before its pooling.
    return [(x.contiguous(), pool.num_clusters)
            for x, pool in zip(tokens[:-1], backbone.pools)]


GOALS = [
    Goal('sampling', 'farthest point sampling over the forward pass of '
         'CAST-S', 0.02, False, _sampling, devices=('cpu', 'cuda')),
    Goal('cast-fp32', 'inference in fp32: CAST-S over ViT-S', 0.75, False,
         partial(_against_vit, mode='inference-fp32')),
    Goal('cast-bf16', 'inference in bf16: CAST-S over ViT-S', 0.85, False,
         partial(_against_vit, mode='inference-bf16')),
    Goal('cast-moco', 'step of MoCo v3: CAST-S over ViT-S', 0.9, False,
         partial(_against_vit, mode='pretraining-fp32')),
]
