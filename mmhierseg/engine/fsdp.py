"""Training with parameters, gradients and optimizer sharded by FSDP."""

from collections.abc import Sequence
from types import MethodType, SimpleNamespace
from typing import Any

import torch
from mmengine._strategy import FSDPStrategy
from mmengine.model import BaseAveragedModel, revert_sync_batchnorm
from mmengine.registry import FUNCTIONS
from torch import Tensor, nn
from torch.distributed.fsdp import FullyShardedDataParallel

from mmhierseg.engine.device import has_accelerator
from mmhierseg.registry import STRATEGIES


# In MMEngine's own registry: its wrapper looks up policies there only.
@FUNCTIONS.register_module()
def wrap_by_class_name(module: nn.Module, recurse: bool,
                       nonwrapped_numel: int,
                       class_names: Sequence[str]) -> bool:
    """Make an FSDP unit of every module of the named classes.

    An ``auto_wrap_policy`` for configs, with ``class_names`` (without
    packages) instead of the classes that PyTorch's policies need. Only
    ``forward`` of a unit gathers its parameters, so nothing may call other
    methods of a named class (as for CAST's pooling and MMPretrain's heads).
    """
    return recurse or type(module).__name__ in class_names


@STRATEGIES.register_module()
class ShardedStrategy(FSDPStrategy):
    """MMEngine's FSDPStrategy, for momentum encoders, resuming and the CPU.

    Every process holds a shard of all parameters, gradients and optimizer
    states; a unit of the model (``auto_wrap_policy``) is gathered when it
    runs. Checkpoints are those of an unsharded run: one file, for any number
    of processes, with or without FSDP. Differences from MMEngine's:

    * A momentum encoder (MoCo, BYOL) follows the encoder shard by shard. Both
      must consist of the same units, without parameters in the outermost one,
      and ``sharding_strategy`` must be FULL_SHARD, the default.
    * ``sync_bn`` has an effect; on CPUs, SyncBN becomes BN.
    * The optimizer's states load with PyTorch 2.1 and later, and the state of
      the gradient scaler is in the checkpoint.

    Args:
        model_wrapper (dict, optional): Options of
            :class:`mmengine.model.MMFullyShardedDataParallel`, such as
            ``auto_wrap_policy``.
        **kwargs: Arguments of MMEngine's FSDPStrategy, such as ``sync_bn``.
    """

    def __init__(self, *, model_wrapper: dict | None = None,
                 **kwargs) -> None:
        wrapper = dict(
            dict(type='MMFullyShardedDataParallel'), **model_wrapper or {})
        if not has_accelerator():
            wrapper['device_id'] = torch.device('cpu')
        # Offloading is pointless on the CPU (and PyTorch 2.13 crashes).
        offload = dict(rank0_only=True, offload_to_cpu=has_accelerator())
        kwargs.setdefault(
            'state_dict_cfg',
            dict(
                state_dict_type='FULL_STATE_DICT',
                state_dict_config=dict(type='FullStateDictConfig', **offload),
                optim_state_dict_config=dict(
                    type='FullOptimStateDictConfig', **offload)))
        super().__init__(model_wrapper=wrapper, **kwargs)

    def convert_model(self, model: nn.Module) -> nn.Module:
        """Convert BN to SyncBN where that is possible."""
        if has_accelerator():
            return super().convert_model(model)
        return revert_sync_batchnorm(model)

    def _wrap_model(self, model: nn.Module) -> nn.Module:
        model = super()._wrap_model(self.convert_model(model))
        for module in model.modules():
            if isinstance(module, BaseAveragedModel):
                module.update_parameters = MethodType(_update_shards, module)
        return model

    def load_checkpoint(self, filename: str, **kwargs) -> dict:
        """Load a checkpoint of the whole model, on the CPU."""
        # By default it would be on the GPU, and might not fit.
        if kwargs.get('map_location') == 'default':
            kwargs['map_location'] = 'cpu'
        return super().load_checkpoint(filename, **kwargs)

    def optim_state_dict(self) -> dict[str, Any]:
        """Gather the states of optimizer and gradient scaler, by names."""
        states = FullyShardedDataParallel.optim_state_dict(
            self.model, self.optim_wrapper.optimizer)
        return {**self.optim_wrapper.state_dict(), **states}

    def load_optim_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load this process's shard of states, also of an unsharded run."""
        shards = FullyShardedDataParallel.optim_state_dict_to_load(
            model=self.model,
            optim=self.optim_wrapper.optimizer,
            optim_state_dict=self._by_name(state_dict))
        self.optim_wrapper.load_state_dict({**state_dict, **shards})

    def _by_name(self, state_dict: dict[str, Any]) -> dict[str, Any]:
        """Replace an unsharded run's numbers of parameters by names."""
        groups = state_dict['param_groups']
        saved = [key for group in groups for key in group['params']]
        if any(isinstance(key, str) for key in saved):
            return dict(state=state_dict['state'], param_groups=groups)
        names = {id(value): key for key, value in _shards(self.model).items()}
        own = [names[id(value)]
               for group in self.optim_wrapper.optimizer.param_groups
               for value in group['params']]
        name_of = dict(zip(saved, own, strict=True))
        return dict(
            state={name_of[k]: v for k, v in state_dict['state'].items()},
            param_groups=[
                dict(group, params=[name_of[key] for key in group['params']])
                for group in groups
            ])


def _shards(model: nn.Module) -> dict[str, Tensor]:
    """The shards of a sharded model, by the unsharded names."""
    return {
        name.replace('_fsdp_wrapped_module.', ''): parameter
        for name, parameter in model.named_parameters()
    }


def _update_shards(averaged: BaseAveragedModel, model: nn.Module) -> None:
    """Replacement of ``averaged.update_parameters``.

    In the forward pass, all parameters are shards: the model's units have
    finished, and the averaged model's have not begun.
    """
    sources = _shards(model)
    wrong = [
        name for name, shard in averaged.avg_parameters.items()
        if name not in sources or sources[name].shape != shard.shape
    ]
    if wrong:
        raise ValueError(
            f'{len(wrong)} parameters of the encoder ({wrong[0]}, ...) are '
            'whole where those of its momentum encoder are shards: '
            'model_wrapper.auto_wrap_policy must name the class of a module '
            'around them, and sharding_strategy be FULL_SHARD')
    type(averaged).update_parameters(
        averaged,
        SimpleNamespace(
            named_parameters=sources.items, buffers=model.buffers))
