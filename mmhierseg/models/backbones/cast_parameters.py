"""CAST's parameters: how they are drawn, which are trained, their depth."""

from typing import Tuple

from mmengine.model import BaseModule
from mmengine.model.weight_init import trunc_normal_
from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm
from torch import nn

from ..utils import init_mocov3_, init_timm_vit_


class CASTParameters(BaseModule):
    """What CAST does with its parameters beside computing with them.

    A subclass has ``options`` (:class:`CASTOptions`), ``frozen_stages``,
    ``norm_eval``, ``tokenizer``, ``cls_token``, ``stages`` and ``pools``.
    """

    def init_weights(self) -> None:
        """Draw the parameters, then do what ``init_cfg`` says."""
        if not self.is_init:
            self.reset_parameters()
        super().init_weights()

    def reset_parameters(self) -> None:
        """Draw the parameters anew.

        'sincos': linear layers as MoCo v3; 'learned': as timm's ViT. Norm
        layers and grouping biases keep what they were built with.
        """
        self.tokenizer.stem.reset_parameters()
        if self.options.pos_embed == 'sincos':
            init_mocov3_(self)
            nn.init.normal_(self.cls_token, std=1e-6)
        else:
            init_timm_vit_(self)
            trunc_normal_(self.cls_token, std=.02)
            trunc_normal_(self.tokenizer.pos_embed, std=.02)

    def train(self, mode: bool = True) -> 'CASTParameters':
        """Switch the mode; what is frozen stays in eval mode."""
        super().train(mode)
        self._freeze_stages()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def _freeze_unused(self) -> None:
        """Parameters that the chosen output never uses get no gradient."""
        last = self.options.last_stage
        unused = [*self.stages[last + 1:], *self.pools[last:]]
        if self.options.fuses:
            # Of the last pooling the class token's way is used.
            unused = [pool.grouping for pool in self.pools[last:]]
        for module in unused:
            module.requires_grad_(False)

    def _freeze_stages(self) -> None:
        if self.frozen_stages < 0:
            return
        self.cls_token.requires_grad = False
        modules = [self.tokenizer, *self.stages[:self.frozen_stages],
                   *self.pools[:self.frozen_stages]]
        if self.frozen_stages == len(self.stages):
            # What comes after the last stage.
            modules += [getattr(self, name) for name in ('norm', 'fusion')
                        if hasattr(self, name)]
        for module in modules:
            module.eval()
            module.requires_grad_(False)

    def get_layer_depth(self, param_name: str,
                        prefix: str = '') -> Tuple[int, int]:
        """Depth of a parameter, for layer-wise learning-rate decay.

        Args:
            param_name (str): Full name of the parameter.
            prefix (str): Prefix of this backbone in it. Defaults to ''.

        Returns:
            Tuple[int, int]: Layer of the parameter, 0 for stem, class token
            and positions, and the number of layers; a pooling counts to the
            last block of its stage.
        """
        depths = self.options.depths
        num_layers = sum(depths) + 2
        if not param_name.startswith(prefix):
            return num_layers - 1, num_layers
        name, *rest = param_name[len(prefix):].split('.')
        if name in ('cls_token', 'tokenizer'):
            return 0, num_layers
        if name == 'stages':
            stage, block = int(rest[0]), int(rest[1])
            return sum(depths[:stage]) + block + 1, num_layers
        if name == 'pools':
            return sum(depths[:int(rest[0]) + 1]), num_layers
        return num_layers - 1, num_layers
