"""Networks whose weights come with their own library."""

from mmengine.logging import print_log
from torch import nn

from mmhierseg.checkpoints import fingerprint


class LoadedNetwork(nn.Module):
    """Holds a network whose weights are no part of a checkpoint.

    It moves to a device with this module, but is not in its state dict: a
    checkpoint for testing need not have it.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        # Not registered.
        self.__dict__['net'] = net.eval().requires_grad_(False)
        self.weights = fingerprint(net)
        print_log(
            f'{type(self).__name__}: weights {self.weights[:16]} (SHA-256)',
            logger='current')

    def _apply(self, *args, **kwargs) -> nn.Module:
        self.net._apply(*args, **kwargs)
        return super()._apply(*args, **kwargs)
