"""HSG's pairs of views with over-segmentation, drawn once.

So minutes of training are not spent on drawing, and all models see the same.
"""

from pathlib import Path
from typing import Tuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed

from benchmarks.learning.views import is_drawn, write_views
from mmhierseg.datasets.scenes import GENERATOR_VERSION
from mmhierseg.registry import DATASETS

__all__ = ['make_views']


def make_views(folder: Path, num_pairs: int, cfg: Config) -> None:
    """Draw pairs of views, unless they are there already.

    Args:
        folder (Path): Where to; a pair takes 8 bytes a pixel.
        num_pairs (int): Number of scenes, of each of which two views.
        cfg (Config): Has the data set, ``scenes``, whose pipeline gives two
            views, (4, H, W) each, image and over-segmentation, and their
            ``crop_size``, (H, W).
    """
    scenes, size = cfg.scenes.to_dict(), list(cfg.crop_size)
    record = dict(num_pairs=num_pairs, scenes=scenes, size=size,
                  generator_version=GENERATOR_VERSION)
    if is_drawn(folder, record):
        return
    init_default_scope('mmseg')
    set_random_seed(0)
    dataset = DATASETS.build(dict(scenes, num_scenes=num_pairs))

    def draw(index: int) -> Tuple[np.ndarray, np.ndarray]:
        pair = torch.stack(dataset[index]['inputs']).permute(0, 2, 3, 1)
        return pair[..., :3].numpy(), pair[..., 3].numpy()

    # At most 48 regions, and -1.
    write_views(folder, record, size, draw, np.int8)
