"""The models that tables compare, and what is read from them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import Tensor

from benchmarks.real.trainings import ROOT, Training
from mmhierseg.checkpoints import load_weights
from mmhierseg.ops import (
    assignment_logits,
    farthest_point_sampling,
    spherical_kmeans,
    sum_by_label,
)
from mmhierseg.registry import MODELS

__all__ = ['CELLS', 'POOLED', 'Encoder', 'group_tokens', 'pretraining']

_BASELINES = 'configs/baselines'
#: Names of rows, and the configs that their models are trained by.
CELLS = {
    'superpixels, pooling':
    f'{_BASELINES}/2x2/superpixel_pooling_imagenette.py',
    'superpixels': f'{_BASELINES}/2x2/superpixel_imagenette.py',
    'patches, pooling': f'{_BASELINES}/2x2/patch_pooling_imagenette.py',
    'patches': f'{_BASELINES}/2x2/patch_imagenette.py',
    'ViT': f'{_BASELINES}/vit-conv-t_imagenette.py',
}
POOLED = ('superpixels, pooling', 'patches, pooling')


def pretraining(name: str, seed: int, root: Path, prefix: str = '',
                batch_size: int = 128, quick: bool = False) -> Training:
    """The pre-training of a model on the images of ``root / 'train'``."""
    options = {
        'randomness.seed': seed,
        'train_dataloader.batch_size': batch_size,
        'train_dataloader.num_workers': 1,
        'train_dataloader.dataset.data_root': root,
    }
    if quick:
        prefix = f'quick/{prefix}'
        options.update({'train_dataloader.dataset.indices': 16,
                        'train_dataloader.batch_size': 8,
                        'train_cfg.max_epochs': 1})
    return Training(f'{prefix}{Path(CELLS[name]).stem}-seed{seed}',
                    CELLS[name], options)


class Encoder:
    """An encoder in evaluation, with its data preprocessor.

    Args:
        config (str): Of its pre-training, from the repository's root.
        checkpoint (Path, optional): None: not trained.
        seed (int): Of the weights before training.
        device (str): Defaults to 'cpu'.
        **options: Of the backbone, in place of the config's.
    """

    def __init__(self, config: str, checkpoint: Path | None, seed: int = 0,
                 device: str = 'cpu', **options) -> None:
        cfg = Config.fromfile(ROOT / config).model
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            torch.manual_seed(seed)
            self.model = MODELS.build(dict(cfg.backbone, **options))
            self.model.init_weights()
            self.preprocessor = MODELS.build(cfg.data_preprocessor)
        if checkpoint is not None:
            load_weights(self.model, str(checkpoint), 'backbone.')
        self.model.to(device).eval()
        self.preprocessor.to(device)

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """(B, C) of images (B, 3, H, W) uint8, RGB; or feature maps."""
        return self.model(self._inputs(images))[0].cpu()

    @torch.no_grad()
    def tokens(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, N, C), before any pooling, and their map (B, H, W)."""
        if hasattr(self.model, 'forward_hierarchy'):
            output = self.model.forward_hierarchy(self._inputs(images))
            return output.tokens[0], output.hierarchy.labels
        maps = self.features(images)
        cells = torch.arange(maps[0, 0].numel()).view(1, 1, *maps.shape[2:])
        cells = F.interpolate(cells.float(), images.shape[2:]).long()[:, 0]
        return maps.flatten(2).transpose(1, 2), cells.expand(
            len(images), -1, -1)

    @torch.no_grad()
    def levels(self, images: Tensor) -> list[Tensor]:
        """(B, H, W) label maps of the model's own levels, fine to coarse."""
        found = self.model.forward_hierarchy(self._inputs(images)).hierarchy
        return [found.label_map(level) for level in range(found.num_levels)]

    def _inputs(self, images: Tensor) -> Tensor:
        # Preprocessors take what loaders give: BGR, and a list of views.
        data = dict(inputs=[images.flip(1)], data_samples=None)
        return self.preprocessor(data)['inputs'][0]


def group_tokens(tokens: Tensor, labels: Tensor, numbers: Sequence[int],
                 iterations: int = 15,
                 nested: bool = False) -> list[np.ndarray]:
    """Group the segments of one image by spherical k-means of their features.

    It starts from the segments that CAST's pooling would sample.

    Args:
        tokens (Tensor): (N, C), N at least the largest number.
        labels (Tensor): (H, W) int64 in [0, N - 1].
        numbers (Sequence[int]): Of groups, of each map.
        iterations (int): Of k-means; with 0, tokens join the most similar
            sample.
        nested (bool): Whether a map groups the groups of the map before, by
            the means of their tokens.

    Returns:
        list[np.ndarray]: (H, W) label maps.
    """
    tokens, maps = tokens[None], []
    points, of_token = tokens, torch.arange(tokens.size(1))[None]
    for number in numbers:
        centres = farthest_point_sampling(points, number)
        groups = assignment_logits(points, centres).argmax(2)
        if iterations:
            groups = spherical_kmeans(points, groups, number, iterations)
        groups = groups.gather(1, of_token)
        maps.append(groups[0, labels].numpy())
        if nested:
            sums, sizes = sum_by_label(tokens, groups, number)
            points, of_token = sums / sizes.clamp(min=1)[..., None], groups
    return maps
