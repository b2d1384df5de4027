"""A moving average of the weights that is saved but not used."""

from mmengine.hooks import EMAHook

from mmhierseg.registry import HOOKS


@HOOKS.register_module()
class PassiveEMAHook(EMAHook):
    """MMEngine's EMAHook, but the model keeps the trained weights.

    They are validated, tested and saved as ``state_dict``, and the average as
    ``ema_state_dict``; MMEngine's hook swaps the two. DeiT (Touvron et al.,
    ICML 2021) is trained this way.
    """

    def _swap_ema_parameters(self) -> None:
        """Do not swap."""

    def _swap_ema_state_dict(self, checkpoint: dict) -> None:
        """Do not swap."""
