"""Training with parameters, gradients and optimizer sharded by FSDP."""

from types import MethodType
from typing import Any, Callable, Dict, Iterator, Sequence, Tuple, Union

import torch
from mmengine._strategy import FSDPStrategy
from mmengine.model import BaseAveragedModel, revert_sync_batchnorm
from torch import Tensor, nn
from torch.distributed.fsdp import FullyShardedDataParallel

from mmhierseg.engine.device import has_accelerator
from mmhierseg.registry import STRATEGIES

__all__ = ['ShardedStrategy']

# What FSDP puts into the names of parameters.
_WRAPPED = '_fsdp_wrapped_module.'


@STRATEGIES.register_module()
class ShardedStrategy(FSDPStrategy):
    """MMEngine's FSDPStrategy, for momentum encoders, resuming and the CPU.

    Every process holds a share of all parameters, gradients and states of the
    optimizer; a unit of the model (``auto_wrap_policy``) is gathered when it
    runs. Checkpoints are those of an unsharded run: one file, for any number
    of processes, with or without FSDP. What differs from MMEngine's:

    * A momentum encoder (MoCo, BYOL) follows the encoder share by share. Both
      must consist of the same units, nothing of them may be left to the
      outermost one, and FULL_SHARD, the default, is the way of sharding.
    * ``sync_bn`` is heeded.
    * The states of the optimizer load with PyTorch 2.1 and later, whose
      function has its arguments in another order than MMEngine passes them,
      and that of the gradient scaler is in the checkpoint.
    * Without a GPU, processes connected by Gloo do the same; SyncBN, which
      runs on GPUs only, becomes BN.

    Args:
        model_wrapper (dict, optional): Options of
            :class:`mmengine.model.MMFullyShardedDataParallel`, such as
            ``auto_wrap_policy``. Defaults to None.
        sync_bn (str, optional): What BN becomes: 'torch' or 'mmcv'. Defaults
            to None, what it is.
        skip_init_weights (bool): Whether the model is filled by a checkpoint
            in any case. Defaults to False.
        env_kwargs (dict, optional): Filled in by the runner, as are all of
            the following.
        log_kwargs (dict, optional): Of the logger.
        work_dir (str): Folder of the run. Defaults to 'work_dirs'.
        experiment_name (str, optional): Name of the run.
        auto_scale_lr (dict, optional): The config's.
    """

    def __init__(self,
                 *,
                 model_wrapper: Union[dict, None] = None,
                 sync_bn: Union[str, None] = None,
                 skip_init_weights: bool = False,
                 env_kwargs: Union[dict, None] = None,
                 log_kwargs: Union[dict, None] = None,
                 work_dir: str = 'work_dirs',
                 experiment_name: Union[str, None] = None,
                 auto_scale_lr: Union[dict, None] = None) -> None:
        wrapper = dict(model_wrapper or {})
        wrapper.setdefault('type', 'MMFullyShardedDataParallel')
        if not has_accelerator():
            wrapper['device_id'] = torch.device('cpu')
        # On the CPU nothing is to be moved there (and PyTorch 2.13 crashes).
        offload = dict(rank0_only=True, offload_to_cpu=has_accelerator())
        super().__init__(
            model_wrapper=wrapper,
            sync_bn=sync_bn,
            skip_init_weights=skip_init_weights,
            state_dict_cfg=dict(
                state_dict_type='FULL_STATE_DICT',
                state_dict_config=dict(type='FullStateDictConfig', **offload),
                optim_state_dict_config=dict(
                    type='FullOptimStateDictConfig', **offload)),
            env_kwargs=env_kwargs,
            log_kwargs=log_kwargs,
            work_dir=work_dir,
            experiment_name=experiment_name,
            auto_scale_lr=auto_scale_lr)

    def convert_model(self, model: nn.Module) -> nn.Module:
        """Have BN synchronised where that is possible.

        Args:
            model (nn.Module): The model, not wrapped.

        Returns:
            nn.Module: The same with BN or SyncBN.
        """
        if has_accelerator():
            return super().convert_model(model)
        return revert_sync_batchnorm(model)

    def _wrap_model(self, model: nn.Module) -> nn.Module:
        """Shard the model."""
        model = super()._wrap_model(self.convert_model(model))
        for module in model.modules():
            if isinstance(module, BaseAveragedModel):
                module.update_parameters = MethodType(_update_shares, module)
        return model

    def load_checkpoint(self,
                        filename: str,
                        *,
                        map_location: Union[str, Callable] = 'cpu',
                        strict: bool = False,
                        revise_keys: Sequence[Tuple[str, str]] = (),
                        callback: Union[Callable, None] = None) -> dict:
        """Load a checkpoint of the whole model.

        Args:
            filename (str): Its path.
            map_location (str | Callable): Where to; 'default', which stands
                for the GPU, is taken for 'cpu': the whole would have to fit.
            strict (bool): Whether names must be the same. Defaults to False.
            revise_keys (Sequence[Tuple[str, str]]): Not used when sharding.
            callback (Callable, optional): Called with what was read.

        Returns:
            dict: The checkpoint without the model's weights.
        """
        if map_location == 'default':
            map_location = 'cpu'
        return super().load_checkpoint(
            filename,
            map_location=map_location,
            strict=strict,
            revise_keys=list(revise_keys),
            callback=callback)

    def optim_state_dict(self) -> Dict[str, Any]:
        """Gather the optimizer's states.

        Returns:
            dict: In the first process, the states by names of parameters, and
            what the optimizer's wrapper has of its own, such as the state of
            a gradient scaler.
        """
        states = FullyShardedDataParallel.optim_state_dict(
            self.model, self.optim_wrapper.optimizer)
        own = self.optim_wrapper.state_dict()
        return {**_without_states(own), **states}

    def load_optim_state_dict(self, state_dict: Dict[str, Any]) -> None:
        """Take this process's share of what :meth:`optim_state_dict` gave.

        Args:
            state_dict (dict): The states; those of an unsharded run will do.

        Raises:
            ValueError: If they are of another number of parameters.
        """
        shares = FullyShardedDataParallel.optim_state_dict_to_load(
            model=self.model,
            optim=self.optim_wrapper.optimizer,
            optim_state_dict=self._by_name(state_dict))
        self.optim_wrapper.load_state_dict({
            **_without_states(state_dict), **shares
        })

    def _by_name(self, state_dict: Dict[str, Any]) -> Dict[str, Any]:
        """States by names of parameters, where an unsharded run counts."""
        names = {
            id(parameter): name
            for name, parameter in _Shares(self.model).named_parameters()
        }
        own = [
            names[id(parameter)]
            for group in self.optim_wrapper.optimizer.param_groups
            for parameter in group['params']
        ]
        groups = state_dict['param_groups']
        saved = [key for group in groups for key in group['params']]
        if len(saved) != len(own):
            raise ValueError(
                f'the states are of {len(saved)} parameters, but the '
                f'optimizer has {len(own)}: it is of another model')
        if any(isinstance(key, str) for key in saved):
            return dict(state=state_dict['state'], param_groups=groups)
        name_of = dict(zip(saved, own))
        return dict(
            state={name_of[k]: v for k, v in state_dict['state'].items()},
            param_groups=[
                dict(group, params=[name_of[key] for key in group['params']])
                for group in groups
            ])


def _without_states(state_dict: Dict[str, Any]) -> Dict[str, Any]:
    return {
        key: value for key, value in state_dict.items()
        if key not in ('state', 'param_groups')
    }


class _Shares:
    """The shares of a sharded model under the names of the whole."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def named_parameters(self) -> Iterator[Tuple[str, Tensor]]:
        for name, parameter in self.model.named_parameters():
            yield name.replace(_WRAPPED, ''), parameter

    def buffers(self) -> Iterator[Tensor]:
        return self.model.buffers()


def _update_shares(averaged: BaseAveragedModel, model: nn.Module) -> None:
    """Stand in for ``averaged.update_parameters``.

    During the forward pass of a model, parameters of units that ran are
    shares again, and so are those of the averaged model that did not run yet.
    """
    if averaged.update_buffers:
        raise ValueError('a sharded model cannot have its buffers averaged: '
                         'update_buffers must be False')
    shares = _Shares(model)
    sources = dict(shares.named_parameters())
    wrong = [
        name for name, share in averaged.avg_parameters.items()
        if name not in sources or sources[name].shape != share.shape
    ]
    if wrong:
        raise ValueError(
            f'{len(wrong)} parameters of the encoder ({wrong[0]}, ...) are '
            'whole where those of its momentum encoder are shares. Either '
            'they are in no unit but the outermost: have '
            'model_wrapper.auto_wrap_policy name the class of a module around '
            'them; or model_wrapper.sharding_strategy is not FULL_SHARD')
    type(averaged).update_parameters(averaged, shares)
