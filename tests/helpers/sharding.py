"""Sharded and unsharded training, for two processes."""

import os
from copy import deepcopy

import torch
import torch.distributed as dist
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


def step(model, wrapper, views, iteration):
    """One step; this process's loss."""
    # By which the momentum encoder knows how far the training is.
    MessageHub.get_current_instance().update_info('iter', iteration)
    loss = moco_loss(model, views)
    wrapper.update_params(loss)
    return loss.item()


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


def train_both(rank, port, views, out):
    """Losses and states of both ways; then one continues from the other."""
    torch.set_num_threads(1)
    os.environ['LOCAL_RANK'] = str(rank)
    dist.init_process_group(
        'gloo', f'tcp://127.0.0.1:{port}', rank=rank, world_size=2)
    share = len(views[0]) // 2
    views = [view[rank * share:(rank + 1) * share] for view in views]
    whole = MMDistributedDataParallel(moco_in_full_precision())
    wrapper = OptimWrapper(torch.optim.AdamW(whole.parameters(), lr=1e-3))
    sharded = shard(out / 'run')
    losses = [(step(whole, wrapper, views, i),
               step(sharded.model, sharded.optim_wrapper, views, i))
              for i in range(STEPS)]
    states = deepcopy([
        dict(
            model=whole.module.state_dict(),
            optimizer=wrapper.state_dict()),
        dict(
            model=sharded.model_state_dict(),
            optimizer=sharded.optim_state_dict())
    ])
    # What an unsharded run has saved, into another sharded one.
    other = shard(out / 'run')
    other.load_model_state_dict(states[0]['model'], strict=True)
    # A copy: the numbers of steps are taken over as they are, and counted on.
    other.load_optim_state_dict(deepcopy(states[0]['optimizer']))
    losses.append((step(whole, wrapper, views, STEPS),
                   step(other.model, other.optim_wrapper, views, STEPS)))
    own = sum(parameter.numel() for parameter in sharded.model.parameters())
    torch.save(dict(losses=losses, states=states, own=own),
               out / f'{rank}.pth')
    # They wait for the group when they go, so they must go first.
    del whole, sharded, other
    dist.destroy_process_group()
