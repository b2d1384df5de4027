"""The segmentors that are compared, and one step of each.

All come from configs of this repository or of MMSegmentation, with random
weights and 150 classes. A step is MMEngine's ``train_step`` or ``test_step``
on a batch as the data loader hands it over, segment maps included.
"""

from itertools import chain
from pathlib import Path
from typing import Dict, List

import torch
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.model import revert_sync_batchnorm
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor

from benchmarks.common.memory import held_bytes
from mmhierseg.cli.options import read_config
from mmhierseg.datasets.scenes import SceneOptions, make_scene
from mmhierseg.datasets.transforms import GenerateSuperpixels

__all__ = ['BASELINE', 'MODES', 'SEGMENTORS', 'SegmentorStep']

ROOT = Path(__file__).resolve().parents[2]
BASELINE = 'Segmenter, ViT-S'
#: By name, the config: MMSegmentation's or one below configs/.
SEGMENTORS: Dict[str, str] = {
    BASELINE: 'mmseg::segmenter/'
              'segmenter_vit-s_mask_8xb1-160k_ade20k-512x512.py',
    'Segmenter, CAST-S': 'cast/cast-s_segmenter_ade20k-512x512.py',
    'classifier of segments, CAST-S': 'cast/cast-s_voc12aug-512x512.py',
    'Segmenter on a map of CAST-S':
    'cast/swap/cast-s_segmenter_ade20k-512x512.py',
}
MODES = ('inference', 'training')
_NUM_CLASSES = 150
_SUPERPIXELS = dict(type='TorchSLIC', segment_size=16)


class SegmentorStep:
    """A segmentor with a batch; calling it does one step.

    Args:
        name (str): One of ``SEGMENTORS``.
        training (bool): Whether a step trains, by SGD.
        batch_size (int): Images in a batch.
        img_size (int): Their height and width.
        device (str): 'cpu' or 'cuda'.
    """

    def __init__(self, name: str, training: bool, batch_size: int,
                 img_size: int, device: str) -> None:
        torch.manual_seed(0)
        settings = _read(SEGMENTORS[name]).model
        takes_maps = settings.backbone.type.endswith('CAST')
        _adapt(settings, img_size, takes_maps)
        init_default_scope('mmseg')
        self.model = revert_sync_batchnorm(
            MODELS.build(settings)).to(device).train(training)
        self.images, self.labels = (
            list(x) for x in zip(*(_scene(i, img_size, takes_maps)
                                   for i in range(batch_size))))
        self.images = [x.to(device) for x in self.images]
        self.optim_wrapper = build_optim_wrapper(
            self.model,
            dict(
                type='OptimWrapper',
                optimizer=dict(type='SGD', lr=1e-3, momentum=0.9))
        ) if training else None

    def __call__(self) -> object:
        """Do one step; its losses, or what it predicts."""
        samples = [
            SegDataSample(
                gt_sem_seg=PixelData(data=x),
                metainfo=dict(
                    img_shape=x.shape[1:], ori_shape=x.shape[1:]))
            for x in self.labels
        ]
        data = dict(inputs=list(self.images), data_samples=samples)
        if self.optim_wrapper is not None:
            return self.model.train_step(data, self.optim_wrapper)
        with torch.no_grad():
            return self.model.test_step(data)

    def held_bytes(self) -> int:
        """Memory of weights, gradients, buffers and the optimizer's state."""
        tensors: List[Tensor] = list(
            chain(self.model.parameters(), self.model.buffers()))
        tensors += [x.grad for x in tensors if x.grad is not None]
        if self.optim_wrapper is not None:
            for state in self.optim_wrapper.optimizer.state.values():
                tensors += [x for x in state.values()
                            if isinstance(x, Tensor)]
        return held_bytes(tensors)


def _adapt(settings: Config, img_size: int, takes_maps: bool) -> None:
    """What is not the model's is alike; there are no files of weights."""
    backbone, head = settings.backbone, settings.decode_head
    backbone.pop('init_cfg', None)
    settings.pretrained = None
    backbone.drop_path_rate = 0.
    head.num_classes = _NUM_CLASSES
    settings.test_cfg = dict(mode='whole')
    settings.data_preprocessor.size = (img_size, img_size)
    if takes_maps:
        backbone.img_size = img_size
        # They come with the images.
        settings.data_preprocessor.pop('superpixels', None)
        scale = (img_size / 512)**2
        backbone.num_clusters = [
            max(round(scale * n), 1) for n in backbone.num_clusters
        ]
    else:
        backbone.img_size = (img_size, img_size)


def _scene(index: int, img_size: int, with_map: bool) -> tuple:
    """(3 or 4, H, W) image as the loader hands it over; (1, H, W) labels."""
    scene = make_scene(0, index, SceneOptions(size=(img_size, img_size)))
    image = scene.image[..., ::-1].copy()
    if with_map:
        image = GenerateSuperpixels(_SUPERPIXELS)(dict(img=image))['img']
    return (torch.from_numpy(image).permute(2, 0, 1).contiguous(),
            torch.from_numpy(scene.semantic)[None].long())


def _read(name: str) -> Config:
    if name.startswith('mmseg::'):
        return get_config(name)
    return read_config(str(ROOT / 'configs' / name))
