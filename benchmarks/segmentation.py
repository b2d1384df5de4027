"""Time and peak memory of segmentation, against MMSegmentation's Segmenter.

Models come from configs of this repository or of MMSegmentation, with random
weights and 150 classes. A step is MMEngine's ``train_step`` or ``test_step``
on a batch as the data loader hands it over, segment maps included.
"""

from argparse import Namespace

import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import PixelData
from mmengine.utils import to_2tuple
from mmseg.structures import SegDataSample

from benchmarks.images import make_scenes
from benchmarks.memory import held_by_training, peak_bytes
from benchmarks.models import read_config
from benchmarks.report import Report, markdown_table
from benchmarks.steps import loader_image
from benchmarks.timing import paired_ratio, spread, take_turns
from mmhierseg._base.errors import UserError

__all__ = ['BASELINE', 'SEGMENTORS', 'SegmentorStep', 'measure', 'run']

OPTIONS = dict(
    modes=dict(nargs='+', choices=('inference', 'training'),
               default=['inference', 'training'], help='steps'),
    batch_size=dict(type=int, default=2, help='images in a step'),
    img_size=dict(type=int, default=512,
                  help='height and width, a multiple of 32'),
    repeats=dict(type=int, default=5, quick=3, help='rounds'))
BASELINE = 'Segmenter, ViT-S'
#: By name, the config: MMSegmentation's or one below configs/.
SEGMENTORS = {
    BASELINE: 'mmseg::segmenter/'
              'segmenter_vit-s_mask_8xb1-160k_ade20k-512x512.py',
    'Segmenter, CAST-S': 'cast/cast-s_segmenter_ade20k-512x512.py',
    'classifier of segments, CAST-S':
    'cast/cast-s_voc12aug-mmseg-512x512.py',
    'Segmenter on a map of CAST-S':
    'cast/swap/cast-s_segmenter_ade20k-512x512.py',
}
_NUM_CLASSES = 150
_HEADER = ('ms an image', 'time : ViT', 'peak MiB', 'memory : ViT')


class SegmentorStep:
    """A segmentor with a batch; calling it does one step.

    Args:
        name (str): One of ``SEGMENTORS``.
        training (bool): Whether a step trains, by SGD.
        batch_size (int): Images in a batch.
        img_size (tuple[int, int]): Their height and width.
        device (str): 'cpu' or 'cuda'.
    """

    def __init__(self, name: str, training: bool, batch_size: int,
                 img_size: tuple[int, int], device: str) -> None:
        torch.manual_seed(0)
        settings = read_config(SEGMENTORS[name]).model
        takes_maps = settings.backbone.type.endswith('CAST')
        _adapt(settings, img_size, takes_maps)
        init_default_scope('mmseg')
        self.model = revert_sync_batchnorm(
            MODELS.build(settings)).to(device).train(training)
        scenes = make_scenes(batch_size, img_size)
        self.images = [
            loader_image(scene.image, takes_maps).to(device)
            for scene in scenes
        ]
        self.labels = [torch.from_numpy(scene.semantic)[None].long()
                       for scene in scenes]
        self.optim_wrapper = build_optim_wrapper(
            self.model,
            dict(
                type='OptimWrapper',
                optimizer=dict(type='SGD', lr=1e-3, momentum=0.9))
        ) if training else None

    def __call__(self) -> object:
        """Do one step; its losses, or predictions."""
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
        """Memory of weights, buffers, gradients and optimizer state."""
        return held_by_training(
            self.model, self.optim_wrapper and self.optim_wrapper.optimizer)


def _adapt(settings: Config, img_size: tuple[int, int],
           takes_maps: bool) -> None:
    """Set alike what is not the model's; leave out files of weights."""
    backbone = settings.backbone
    backbone.pop('init_cfg', None)
    settings.pretrained = None
    backbone.drop_path_rate = 0.
    settings.decode_head.num_classes = _NUM_CLASSES
    settings.test_cfg = dict(mode='whole')
    settings.data_preprocessor.size = backbone.img_size = img_size
    if not takes_maps:
        return
    # Superpixels come with the images.
    settings.data_preprocessor.pop('superpixels', None)
    scale = img_size[0] * img_size[1] / 512**2
    backbone.num_clusters = [
        max(round(scale * n), 1) for n in backbone.num_clusters
    ]


def measure(names: list[str], training: bool, args: Namespace
            ) -> dict[str, dict]:
    """Time segmentors in turns, and count the memory of each.

    Args:
        names (list[str]): Of ``SEGMENTORS``.
        training (bool): Whether a step trains.
        args (Namespace): Options; ``img_size`` is a side or (H, W).

    Returns:
        dict[str, dict]: By segmentor, ``seconds`` of a step in each round
        and ``peak`` in bytes.
    """
    steps = {
        name: SegmentorStep(name, training, args.batch_size,
                            to_2tuple(args.img_size), args.device)
        for name in names
    }
    seconds = take_turns(steps, args.repeats, warmup=1, device=args.device,
                         progress=args.progress)
    return {
        name: dict(
            seconds=seconds[name],
            peak=step.held_bytes() + peak_bytes(step, args.device))
        for name, step in steps.items()
    }


def _table(mode: str, measured: dict[str, dict], batch_size: int) -> str:
    base = measured[BASELINE]
    return markdown_table((mode, *_HEADER), [[
        name, f'{1e3 * spread(one["seconds"]).median / batch_size:.0f}',
        f'{paired_ratio(one["seconds"], base["seconds"]).median:.2f}',
        f'{one["peak"] / 2**20:.0f}', f'{one["peak"] / base["peak"]:.2f}'
    ] for name, one in measured.items()])


def run(args: Namespace) -> Report:
    """Measure all modes."""
    if args.img_size % 32:
        raise UserError('--img-size must be a multiple of 32, got '
                        f'{args.img_size}')
    results = {mode: measure(list(SEGMENTORS), mode == 'training', args)
               for mode in args.modes}
    text = '\n\n'.join([
        f'batches of {args.batch_size} at {args.img_size} x {args.img_size}; '
        f'{args.repeats} rounds',
        *(_table(mode, one, args.batch_size) for mode, one in results.items())
    ])
    return Report({f'segmentation on {args.place}': text}, results)
