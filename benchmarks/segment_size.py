"""The best labelling of superpixels, by their size, where things are thin.

Part-whole scenes with poles, no model. Each segment takes the class that most
of its pixels have: no model that labels segments can do better. Pixels are
counted over all scenes. With ``--memory``, the peak memory of CAST in
training by the size of superpixels and of maps.
"""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.images import make_scenes, to_tensor
from benchmarks.memory import peak_bytes
from benchmarks.report import Report, markdown_table
from mmhierseg.datasets.scenes import (
    FIRST_VAL_INDEX,
    PARTS,
    Scene,
    class_names,
)
from mmhierseg.evaluation.functional import (
    achievable_segmentation_counts,
    class_areas,
    mean_iou_of_areas,
    region_miou,
)
from mmhierseg.models import CAST
from mmhierseg.registry import SUPERPIXELS
from mmhierseg.visualization import draw_boundaries
from mmhierseg.visualization.canvas import Panel, draw_grid
from mmhierseg.visualization.segments import draw_label_map

__all__ = ['best_labelling', 'measure', 'post_width', 'run',
           'training_bytes']

#: Grid stands for the patches of other vision transformers.
_METHODS = ('SEEDS', 'TorchSLIC', 'Grid')
OPTIONS = dict(
    methods=dict(nargs='+', choices=_METHODS, default=list(_METHODS),
                 help='superpixels'),
    segment_sizes=dict(nargs='+', type=int, default=[4, 8, 16, 32],
                       help='sides in pixels'),
    img_sizes=dict(nargs='+', type=int, default=[512, 224],
                   help='height and width of a scene; at half the size '
                   'everything is half as thick'),
    scenes=dict(type=int, default=12, quick=3, help='how many'),
    poles=dict(type=int, default=4, help='in each scene'),
    memory=dict(action='store_true',
                help='measure the peak memory of training, too: one more '
                'minute, and 2 GiB'),
    png=dict(type=Path, help='picture to draw, of the smallest scene'))
_CLASSES = class_names(num_poles=1)
_POLE = _CLASSES.index('pole')
_POST = 1 + PARTS.index('pole post')
#: `segment_size`, `featmap_stride`, `with_cp`.
_VARIANTS = ((16, 8, False), (16, 4, False), (8, 8, False), (8, 8, True))


def post_width(scenes: Sequence[Scene]) -> float:
    """Median width of the posts of poles: runs in the rows of images."""
    runs = []
    for scene in scenes:
        post = np.pad(scene.parts == _POST, ((0, 0), (1, 1))).astype(int)
        steps = np.diff(post, axis=1)
        # In the order of rows, beginnings and ends belong together.
        runs.append(np.nonzero(steps < 0)[1] - np.nonzero(steps > 0)[1])
    return float(np.median(np.concatenate(runs)))


def _segments_of(scene: Scene, method: str, segment_size: int) -> np.ndarray:
    superpixels = SUPERPIXELS.build(
        dict(type=method, segment_size=segment_size))
    return superpixels(to_tensor(scene.image)[None])[0].numpy()


def best_labelling(segments: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Give each segment the class that most of its pixels have.

    Args:
        segments (np.ndarray): (H, W) labels from 0.
        classes (np.ndarray): (H, W) ids of true classes.

    Returns:
        np.ndarray: (H, W) ids of classes.

    Example:
        >>> best_labelling(np.array([[0, 0, 0, 1]]), np.array([[4, 4, 2, 2]]))
        array([[4, 4, 4, 2]])
    """
    counts = np.zeros((segments.max() + 1, classes.max() + 1), dtype=int)
    np.add.at(counts, (segments, classes), 1)
    return counts.argmax(axis=1)[segments]


def measure(scenes: Sequence[Scene], method: str,
            segment_size: int) -> dict[str, float]:
    """Measure the best labelling of superpixels of one kind.

    Args:
        scenes (Sequence[Scene]): Scenes with poles.
        method (str): 'SEEDS', 'TorchSLIC' or 'Grid'.
        segment_size (int): Side in pixels of the average segment.

    Returns:
        dict[str, float]: ``segments``, the mean number in a scene, and in
        [0, 1] achievable segmentation accuracy, mIoU, IoU and recall of
        poles, and recall of their thin posts.
    """
    segments = [_segments_of(scene, method, segment_size) for scene in scenes]
    confusion = sum(
        region_miou(labels, scene.semantic, len(_CLASSES))
        for labels, scene in zip(segments, scenes))
    right, number = np.sum([
        achievable_segmentation_counts(labels, scene.semantic)
        for labels, scene in zip(segments, scenes)
    ], axis=0)
    areas = class_areas(confusion)
    hits, predicted, true = areas[:, _POLE]
    posts = [scene.parts == _POST for scene in scenes]
    kept = sum(
        (best_labelling(labels, scene.semantic)[post] == _POLE).sum()
        for labels, scene, post in zip(segments, scenes, posts))
    return {
        'segments': float(np.mean([x.max() + 1 for x in segments])),
        'ASA': float(right / number),
        'mIoU': mean_iou_of_areas(areas),
        'pole IoU': float(hits / (predicted + true - hits)),
        'pole recall': float(hits / true),
        'of posts': float(kept / np.sum(posts))
    }


def _table(results: dict[int, list[dict[str, float]]]) -> str:
    """A row for each size; methods are side by side in the cells."""
    header = list(next(iter(results.values()))[0])
    rows = [[
        str(size), f'{max(x["segments"] for x in row):.0f}',
        *(' / '.join(f'{100 * x[name]:.1f}' for x in row)
          for name in header[1:])
    ] for size, row in results.items()]
    return markdown_table(['`segment_size`', *header], rows)


def training_bytes(segment_size: int,
                   featmap_stride: int,
                   with_cp: bool,
                   arch: str | dict = 'small',
                   img_size: int = 512) -> int:
    """Peak memory of a forward and backward pass of CAST for one image.

    Args:
        segment_size (int): Side in pixels of the segments, which are squares;
            there are as many clusters as 320 for 1024 in proportion.
        featmap_stride (int): Side in pixels of the cells of four maps.
        with_cp (bool): Whether the blocks are recomputed.
        arch (str | dict): Of CAST. Defaults to 'small'.
        img_size (int): Height and width. Defaults to 512.

    Returns:
        int: Bytes beside the weights, their gradients included.
    """
    row = torch.arange(img_size) // segment_size
    side = int(row[-1]) + 1
    labels = (row[:, None] * side + row)[None, None].float()
    inputs = torch.cat([torch.zeros(1, 3, img_size, img_size), labels], dim=1)
    model = CAST(
        arch,
        img_size=img_size,
        num_clusters=[side**2 * n // 1024 for n in (320, 160, 80, 40)],
        out_type='featmap',
        featmap_stride=featmap_stride,
        with_cp=with_cp).train()

    def step() -> None:
        model.zero_grad()
        sum(result.square().mean() for result in model(inputs)).backward()

    return peak_bytes(step)


def _memory_table() -> str:
    rows = [[
        str(size), str((512 // size)**2), str(stride),
        'yes' if with_cp else 'no',
        f'{training_bytes(size, stride, with_cp) / 2**20:.0f} MiB'
    ] for size, stride, with_cp in _VARIANTS]
    return markdown_table(['`segment_size`', 'segments', '`featmap_stride`',
                           '`with_cp`', 'peak'], rows)


def _draw(scene: Scene, methods: Sequence[str],
          sizes: Sequence[int]) -> np.ndarray:
    """Superpixels of every kind above their best labelling."""
    rows = []
    for method in methods:
        above = [Panel(scene.image, 'image')]
        below = [Panel(draw_label_map(scene.semantic), 'true classes')]
        for size in sizes:
            labels = _segments_of(scene, method, size)
            above.append(
                Panel(
                    draw_boundaries(scene.image, labels, outline=0.),
                    f'{method} {size}', f'{labels.max() + 1} segments'))
            below.append(
                Panel(
                    draw_label_map(best_labelling(labels, scene.semantic)),
                    'best labelling'))
        rows += [above, below]
    return draw_grid(rows)


def run(args: Namespace) -> Report:
    """Measure all sizes of images and segments, and draw."""
    options = dict(first=FIRST_VAL_INDEX, num_poles=args.poles)
    results, text = {}, []
    for side in args.img_sizes:
        scenes = make_scenes(args.scenes, side, **options)
        results[side] = {
            size: [measure(scenes, method, size) for method in args.methods]
            for size in args.segment_sizes
        }
        args.progress(f'{side} x {side}: done')
        text += [
            f'{args.scenes} scenes of {side} x {side} with {args.poles} '
            f'poles each, whose posts are {post_width(scenes):.0f} pixels '
            f'wide (median); {" / ".join(args.methods)}, in percent:',
            _table(results[side])
        ]
    sections = {'segment size': '\n\n'.join(text)}
    if args.memory:
        sections['memory by segment size'] = _memory_table()
    if args.png is not None:
        scene, = make_scenes(1, min(args.img_sizes), **options)
        methods = [name for name in args.methods if name != 'Grid']
        args.png.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(_draw(scene, methods, args.segment_sizes)).quantize(
            128).save(args.png)
    return Report(sections, results)
