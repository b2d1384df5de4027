"""A tiny MoCo v3 with CAST, and a training step of it."""

import torch
from mmengine.logging import MessageHub
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS
from torch.nn.modules.batchnorm import _BatchNorm

from .cast import TINY


def tiny_moco(seed=0, norm_eval=True, **backbone):
    """MoCo v3 as in the configs, but small, with options of CAST.

    With ``norm_eval``, the images of a batch do not depend on each other.
    """
    init_default_scope('mmpretrain')
    # The runner sets this for the momentum schedule.
    MessageHub.get_current_instance().update_info('max_iters', 10)
    neck = dict(
        type='NonLinearNeck',
        hid_channels=32,
        out_channels=16,
        with_last_bn_affine=False,
        with_avg_pool=False,
        norm_cfg=dict(type='BN1d'))
    torch.manual_seed(seed)
    model = MODELS.build(
        dict(
            type='MoCoV3',
            base_momentum=0.01,
            backbone=dict(type='mmhierseg.CAST', **{**TINY, **backbone}),
            neck=dict(neck, in_channels=48),
            head=dict(
                type='MoCoV3Head',
                predictor=dict(neck, in_channels=16),
                loss=dict(type='CrossEntropyLoss', loss_weight=0.4),
                temperature=0.2)))
    model.train()
    for module in model.modules():
        if norm_eval and isinstance(module, _BatchNorm):
            module.eval()
    return model


def moco_loss(model, views):
    """The loss, computed as in the runner's `train_step`."""
    return model(list(views), None, mode='loss')['loss']


def save_moco_step(rank, views, out, options):
    """Save loss and gradients of a DDP step on half of the views."""
    model = MMDistributedDataParallel(tiny_moco(**options).double())
    share = len(views[0]) // 2
    views = [view[rank * share:(rank + 1) * share] for view in views]
    # Twice: the second pass fails if a parameter had no gradient.
    for _ in range(2):
        model.zero_grad()
        loss = moco_loss(model, views)
        loss.backward()
    torch.save(
        dict(
            loss=loss.detach(),
            gradients={
                name: parameter.grad
                for name, parameter in model.module.named_parameters()
                if parameter.requires_grad
            },
            momentum_encoder=model.module.momentum_encoder.state_dict()),
        out / f'{rank}.pth')
