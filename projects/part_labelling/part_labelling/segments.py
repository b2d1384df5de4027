"""Segments of a hierarchy: those of objects, and those of parts."""

from copy import deepcopy

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmhierseg._base.errors import UserError
from mmhierseg.models.utils import ConvStem
from mmhierseg.registry import MODELS

from .cache import ResultCache


@MODELS.register_module()
class HierarchySegments(BaseModule):
    """Two levels of the hierarchy of CAST, or of k-means on a ViT.

    Args:
        model (dict): :class:`~mmhierseg.models.CAST` or
            :class:`~mmhierseg.models.KMeansHierarchy`.
        part_level (int): Level of parts. Defaults to -2, of 16 segments.
        object_level (int): Level of objects. Defaults to -1, of 8 segments.
        pool_seed (int, optional): Replaces the weights of CAST's last pooling,
            which classification does not train, by initial ones drawn with
            this seed. Defaults to None: those of the checkpoint.
        init_cfg (dict, optional): Initialisation config. Defaults to None.
    """

    def __init__(self,
                 model: dict,
                 part_level: int = -2,
                 object_level: int = -1,
                 pool_seed: int | None = None,
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.model = MODELS.build(model)
        self.levels = part_level, object_level
        self._new_pool = None
        if pool_seed is not None:
            if not getattr(self.model, 'pools', None):
                raise UserError('`pool_seed` is for CAST, got '
                                f'{type(self.model).__name__}')
            self._new_pool = _initial_pool(model, pool_seed)
            print_log(f"CAST's last pooling has the initial weights of seed "
                      f'{pool_seed}', logger='current')

    @property
    def backbone_path(self) -> str:
        """Name of the backbone within this module, with a dot."""
        is_kmeans = hasattr(self.model, 'backbone')
        return 'model.backbone.' if is_kmeans else 'model.'

    def forward(self, inputs: Tensor, crop: Tensor,
                cache: ResultCache) -> tuple[Tensor, Tensor]:
        """Maps (H, W) int64 of the parts and of the objects, -1 = none.

        Args:
            inputs (Tensor): One image, (1, C, H, W), as the model takes it.
            crop (Tensor): Not used.
            cache (ResultCache): Not used: making segments is quick.
        """
        if self._new_pool is not None:
            # Not before the checkpoint has been loaded.
            self.model.pools[-1].load_state_dict(self._new_pool)
            self._new_pool = None
        if inputs.size(1) == 4 and (
                getattr(self.model, 'segment_at', None) == 'stem'):
            inputs = _join_unsampled(inputs)
        hierarchy = self.model.forward_hierarchy(inputs).hierarchy
        parts, objects = (
            hierarchy.label_map(level)[0] for level in self.levels)
        return parts, objects


def _join_unsampled(inputs: Tensor) -> Tensor:
    """Give superpixels behind the last sampled one its number.

    The stem samples every eighth pixel and misses tiny superpixels. As in the
    authors' code, those at the end then go with the last token.
    """
    labels = inputs[:, 3:]
    step = ConvStem.stride
    last = labels[:, :, ::step, ::step].amax()
    return torch.cat([inputs[:, :3], labels.clamp(max=last)], dim=1)


def _initial_pool(model: dict, seed: int) -> dict[str, Tensor]:
    """State dict of the last pooling of a new model."""
    config = deepcopy(model)
    config['init_cfg'] = None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        new: nn.Module = MODELS.build(config)
    return new.pools[-1].state_dict()
