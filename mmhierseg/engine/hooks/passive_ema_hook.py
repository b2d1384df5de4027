"""A moving average of the weights that is kept but not used."""

from mmengine.hooks import EMAHook

from mmhierseg.registry import HOOKS

__all__ = ['PassiveEMAHook']


@HOOKS.register_module()
class PassiveEMAHook(EMAHook):
    """MMEngine's EMAHook, except that the trained weights remain the model.

    They are validated, tested and saved as ``state_dict``; the average is in
    ``ema_state_dict``. MMEngine's hook exchanges the two. DeiT (Touvron et
    al., ICML 2021) trains so.
    """

    def _swap_ema_parameters(self) -> None:
        """Leave the model as it is."""

    def _swap_ema_state_dict(self, checkpoint: dict) -> None:
        """Leave the checkpoint as it is."""
