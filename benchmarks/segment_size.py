"""The best labelling of segments, on part-whole scenes with poles.

Each segment takes the class that most of its pixels have: no model that
labels segments can do better. Pixels are counted over all scenes.
"""

from typing import List, NamedTuple, Sequence, Tuple

import numpy as np
import torch

from benchmarks.common.report import markdown_table
from mmhierseg.datasets.scenes import (
    FIRST_VAL_INDEX,
    PARTS,
    Scene,
    SceneOptions,
    class_names,
    make_scene,
)
from mmhierseg.evaluation.functional import (
    achievable_segmentation_counts,
    class_areas,
    mean_iou_of_areas,
    region_miou,
)
from mmhierseg.registry import SUPERPIXELS

__all__ = [
    'METHODS', 'Achievable', 'best_labelling', 'make_scenes', 'measure',
    'post_width', 'segments_of', 'to_markdown'
]

#: Grid stands for the patches of other vision transformers.
METHODS = ('SEEDS', 'TorchSLIC', 'Grid')
CLASSES = class_names(num_poles=1)
POLE = CLASSES.index('pole')
_POST = 1 + PARTS.index('pole post')


class Achievable(NamedTuple):
    """What is possible with superpixels of one kind; shares are in [0, 1]."""

    method: str
    segment_size: int
    segments: float
    """Mean number of segments of a scene."""

    accuracy: float
    """Achievable segmentation accuracy."""

    miou: float
    pole_iou: float
    pole_recall: float
    post_recall: float
    """Of the thin parts of the poles, without their signs."""


def make_scenes(count: int, size: Tuple[int, int],
                num_poles: int) -> List[Scene]:
    """Make the first scenes of validation.

    Args:
        count (int): How many.
        size (tuple[int, int]): (H, W) in pixels.
        num_poles (int): Poles in each.

    Returns:
        list[Scene]: As many scenes.
    """
    options = SceneOptions(size=size, num_poles=num_poles)
    return [
        make_scene(0, FIRST_VAL_INDEX + index, options)
        for index in range(count)
    ]


def post_width(scenes: Sequence[Scene]) -> float:
    """Median width in pixels of the posts of the poles.

    Args:
        scenes (Sequence[Scene]): Scenes with poles.

    Returns:
        float: Of all runs of post pixels in a row of an image.
    """
    runs = []
    for scene in scenes:
        post = np.pad(scene.parts == _POST, ((0, 0), (1, 1))).astype(int)
        steps = np.diff(post, axis=1)
        # In the order of rows, beginnings and ends belong together.
        runs.append(np.nonzero(steps < 0)[1] - np.nonzero(steps > 0)[1])
    return float(np.median(np.concatenate(runs)))


def segments_of(scene: Scene, method: str, segment_size: int) -> np.ndarray:
    """Make the superpixels of a scene.

    Args:
        scene (Scene): The scene.
        method (str): One of ``METHODS``.
        segment_size (int): Side in pixels of the average segment.

    Returns:
        np.ndarray: (H, W) int64 labels.
    """
    superpixels = SUPERPIXELS.build(
        dict(type=method, segment_size=segment_size))
    image = torch.from_numpy(scene.image).permute(2, 0, 1)[None]
    return superpixels(image)[0].numpy()


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
            segment_size: int) -> Achievable:
    """Measure what superpixels leave possible.

    Args:
        scenes (Sequence[Scene]): Scenes with poles.
        method (str): One of ``METHODS``.
        segment_size (int): Side in pixels of the average segment.

    Returns:
        Achievable: Over all scenes.
    """
    segments = [segments_of(scene, method, segment_size) for scene in scenes]
    confusion = sum(
        region_miou(labels, scene.semantic, len(CLASSES))
        for labels, scene in zip(segments, scenes))
    right, number = np.sum([
        achievable_segmentation_counts(labels, scene.semantic)
        for labels, scene in zip(segments, scenes)
    ], axis=0)
    areas = class_areas(confusion)
    hits, predicted, true = areas[:, POLE]
    posts = [scene.parts == _POST for scene in scenes]
    kept = sum(
        (best_labelling(labels, scene.semantic)[post] == POLE).sum()
        for labels, scene, post in zip(segments, scenes, posts))
    return Achievable(
        method, segment_size,
        float(np.mean([labels.max() + 1 for labels in segments])),
        float(right / number), mean_iou_of_areas(areas),
        float(hits / (predicted + true - hits)), float(hits / true),
        float(kept / np.sum(posts)))


def to_markdown(results: Sequence[Achievable]) -> str:
    """Make a table with a row for each size.

    Args:
        results (Sequence[Achievable]): Every method with the same sizes.

    Returns:
        str: Markdown; methods are side by side in the cells.
    """
    by_size = {}
    for result in results:
        by_size.setdefault(result.segment_size, []).append(result)
    header = ['`segment_size`', 'segments', 'ASA', 'mIoU', 'pole IoU',
              'pole recall', 'of posts']
    rows = []
    for size, row in by_size.items():
        shares = zip(*(result[3:] for result in row))
        rows.append([
            str(size), f'{max(result.segments for result in row):.0f}',
            *(' / '.join(f'{100 * share:.1f}' for share in column)
              for column in shares)
        ])
    return markdown_table(header, rows)
