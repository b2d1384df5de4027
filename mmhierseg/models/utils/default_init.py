"""PyTorch's default initialisation, as an ``init_cfg``."""

from torch import nn

from mmhierseg.registry import WEIGHT_INITIALIZERS


@WEIGHT_INITIALIZERS.register_module()
class PyTorchInit:
    """Initialise all layers with PyTorch's defaults.

    An ``init_cfg`` for MMSegmentation's heads, for example, whose convolutions
    otherwise start from Kaiming's weights and zero biases.

    Example:
        >>> layer = nn.Linear(2, 2)
        >>> _ = nn.init.zeros_(layer.weight)
        >>> PyTorchInit()(layer)
        >>> bool(layer.weight.all())
        True
    """

    def __call__(self, module: nn.Module) -> None:
        """Initialise the layers of a module."""
        for layer in module.modules():
            if hasattr(layer, 'reset_parameters'):
                layer.reset_parameters()
