"""How well segments fit photographs, and the regions of drawn scenes."""

from typing import Dict

import numpy as np
import torch
from skimage.measure import label

from benchmarks.superpixels.methods import (
    METHODS,
    Method,
    make_photographs,
    make_scenes,
)
from mmhierseg.evaluation.functional import (
    achievable_segmentation_accuracy,
    boundary_recall,
    explained_variation,
    undersegmentation_error,
)
from tools.dataset_converters.skimage_photos import PHOTOGRAPHS

__all__ = ['MEASURES', 'rate']

#: Columns of the table.
MEASURES = ('segments', 'fragments', 'explained variation',
            'achievable segmentation accuracy', 'under-segmentation error',
            'boundary recall')
_TOLERANCE = 2


def rate(size: int, segment_size: int, number: int) -> Dict[str, dict]:
    """Rate what all methods make of the same images.

    Args:
        size (int): Height and width of the images.
        segment_size (int): Side of the average segment in pixels.
        number (int): Scenes, and photographs as far as there are so many.

    Returns:
        Dict[str, dict]: By method, the mean of each of ``MEASURES``.
    """
    # No photograph twice: that would only look like more of them.
    photographs = make_photographs(min(number, len(PHOTOGRAPHS)), size)
    scenes = make_scenes(number, size)
    drawn = torch.stack([
        torch.from_numpy(scene.image).permute(2, 0, 1) for scene in scenes
    ])
    results = {}
    for name, setting in METHODS.items():
        if setting.compiled is False:
            # The same labels as with compiled functions.
            continue
        method = Method(name, segment_size)
        rows = [
            _rate_photograph(image, segments)
            for image, segments in zip(photographs, method(photographs))
        ]
        rows += [
            _rate_scene(scene.part_instances, segments)
            for scene, segments in zip(scenes, method(drawn))
        ]
        results[name] = {
            measure: float(np.mean([x[measure] for x in rows if measure in x]))
            for measure in MEASURES
        }
    return results


def _rate_photograph(image: torch.Tensor,
                     segments: torch.Tensor) -> Dict[str, float]:
    segments = segments.numpy()
    number = int(segments.max()) + 1
    parts = label(segments, connectivity=1, background=-1).max()
    return {
        'segments': number,
        'fragments': int(parts) - number,
        'explained variation': explained_variation(segments, image),
    }


def _rate_scene(regions: np.ndarray,
                segments: torch.Tensor) -> Dict[str, float]:
    return {
        'achievable segmentation accuracy':
        achievable_segmentation_accuracy(segments, regions),
        'under-segmentation error':
        undersegmentation_error(segments, regions),
        'boundary recall':
        boundary_recall(segments, regions, tolerance=_TOLERANCE),
    }

