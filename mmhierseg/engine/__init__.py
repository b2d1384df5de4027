"""Hooks, optimizers, and strategies for sharded training."""

from importlib.util import find_spec

from mmhierseg.registry import OPTIM_WRAPPER_CONSTRUCTORS, register_placeholder

from .fsdp import ShardedStrategy, wrap_by_class_name
from .hooks.atomic_checkpoint_hook import AtomicCheckpointHook
from .hooks.hierarchy_visualization_hook import HierarchyVisualizationHook
from .hooks.label_check_hook import LabelCheckHook
from .hooks.memory_bank_hook import MemoryBankHook
from .hooks.passive_ema_hook import PassiveEMAHook
from .hooks.random_state_hook import RandomStateHook
from .hooks.save_label_maps_hook import SaveLabelMapsHook, UniqueNamesHook
from .optimizers import SGD, AdamW, PatternOptimWrapperConstructor
from .param_schedulers import DeiTLR

if find_spec('mmpretrain') is not None:
    from .layer_decay import LayerDecayOptimWrapperConstructor
else:
    LayerDecayOptimWrapperConstructor = register_placeholder(
        'LayerDecayOptimWrapperConstructor', 'mmpretrain',
        OPTIM_WRAPPER_CONSTRUCTORS)

__all__ = [
    'AdamW', 'AtomicCheckpointHook', 'DeiTLR', 'HierarchyVisualizationHook',
    'LabelCheckHook', 'LayerDecayOptimWrapperConstructor', 'MemoryBankHook',
    'PassiveEMAHook', 'PatternOptimWrapperConstructor', 'RandomStateHook',
    'SGD', 'SaveLabelMapsHook', 'ShardedStrategy', 'UniqueNamesHook',
    'wrap_by_class_name'
]
