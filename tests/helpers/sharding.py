"""Sharded and unsharded training, for two processes."""

from copy import deepcopy

import torch
from mmengine.logging import MessageHub
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper

from mmhierseg.engine import ShardedStrategy

from .moco import moco_loss, tiny_moco

POLICY = dict(
    type='wrap_by_class_name',
    class_names=['TransformerBlock', 'CAST', 'NonLinearNeck'])
STEPS = 4


def moco_in_full_precision():
    """Without dropout, which two copies of a model would draw in turn.

    In float64: MoCo has gradients that cancel out, and AdamW takes their
    rounding errors for directions.
    """
    model = tiny_moco(pool_drop_rate=0., fusion_drop_rate=0.)
    model.init_weights()
    return model.double()


def step(models, views, iteration):
    """One step of each model; this process's losses."""
    # By which the momentum encoder knows how far the training is.
    MessageHub.get_current_instance().update_info('iter', iteration)
    losses = []
    for model, wrapper in models:
        loss = moco_loss(model, views)
        wrapper.update_params(loss)
        losses.append(loss.item())
    return losses


def shard(folder):
    """A prepared strategy."""
    strategy = ShardedStrategy(
        model_wrapper=dict(auto_wrap_policy=dict(POLICY)),
        work_dir=str(folder),
        experiment_name=folder.name,
        env_kwargs=dict(launcher='pytorch', randomness=dict(seed=0)))
    strategy.prepare(
        moco_in_full_precision(),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-3)))
    return strategy


def train_both(rank, views, out):
    """Losses and states of both ways; then one continues from the other."""
    number = len(views[0]) // 2
    views = [view[rank * number:(rank + 1) * number] for view in views]
    whole = MMDistributedDataParallel(moco_in_full_precision())
    wrapper = OptimWrapper(torch.optim.AdamW(whole.parameters(), lr=1e-3))
    sharded = shard(out / 'run')
    models = [(whole, wrapper), (sharded.model, sharded.optim_wrapper)]
    losses = [step(models, views, i) for i in range(STEPS)]
    states = deepcopy([
        (whole.module.state_dict(), wrapper.state_dict()),
        (sharded.model_state_dict(), sharded.optim_state_dict())
    ])
    # Another sharded run continues from the unsharded one.
    other = shard(out / 'run')
    other.load_model_state_dict(states[0][0], strict=True)
    # A copy: the numbers of steps are taken over as they are, and counted on.
    other.load_optim_state_dict(deepcopy(states[0][1]))
    models[1] = other.model, other.optim_wrapper
    losses.append(step(models, views, STEPS))
    own = sum(parameter.numel() for parameter in sharded.model.parameters())
    torch.save((losses, states, own), out / f'{rank}.pth')
