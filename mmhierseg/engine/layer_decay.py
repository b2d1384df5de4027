"""Layer-wise learning rates, for segmentors too."""

from mmpretrain.engine.optimizers import (
    LearningRateDecayOptimWrapperConstructor,
)
from torch import nn

from mmhierseg.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayOptimWrapperConstructor(
        LearningRateDecayOptimWrapperConstructor):
    """Layer-wise learning rates by the depth that the backbone reports.

    MMPretrain's constructor, for segmentors too: a parameter that is L layers
    below the heads has the learning rate times ``layer_decay_rate`` (of
    ``paramwise_cfg``) to the power of L; heads, necks and CAST's fusion have
    it unchanged.

    Raises:
        NotImplementedError: If neither the model nor its ``backbone`` has a
            method ``get_layer_depth``.
    """

    def add_params(self, params: list[dict], module: nn.Module,
                   **kwargs) -> None:
        """Add the parameters of a model to groups."""
        backbone = getattr(module, 'backbone', None)
        if not hasattr(module, 'get_layer_depth') and hasattr(
                backbone, 'get_layer_depth'):
            kwargs.setdefault(
                'get_layer_depth',
                lambda name: backbone.get_layer_depth(name, 'backbone.'))
        super().add_params(params, module, **kwargs)
