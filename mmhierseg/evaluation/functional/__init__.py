"""Functions of the metrics: label maps of one image in, counts out.

They take NumPy arrays or tensors on any device, and return NumPy arrays and
Python numbers. Pixels whose ground truth is ``ignore_index`` are left out;
negative segments mean no segment. Results do not depend on how segments are
numbered. TypeError if a map holds no integers; ValueError if shapes differ or
a value is out of its range.
"""

from .boundaries import (
    BoundaryCounts,
    boundary_counts,
    boundary_f_score,
    boundary_precision,
    boundary_recall,
    boundary_recall_counts,
)
from .image_miou import per_image_miou
from .regions import (
    class_areas,
    covering,
    covering_sums,
    mean_iou,
    mean_iou_of_areas,
    nf_covering,
    region_miou,
)
from .superpixel_quality import (
    achievable_segmentation_accuracy,
    achievable_segmentation_counts,
    compactness,
    explained_variation,
    explained_variation_sums,
    undersegmentation_counts,
    undersegmentation_error,
)

__all__ = [
    'BoundaryCounts', 'achievable_segmentation_accuracy',
    'achievable_segmentation_counts', 'boundary_counts', 'boundary_f_score',
    'boundary_precision', 'boundary_recall', 'boundary_recall_counts',
    'class_areas', 'compactness', 'covering', 'covering_sums',
    'explained_variation', 'explained_variation_sums', 'mean_iou',
    'mean_iou_of_areas', 'nf_covering', 'per_image_miou', 'region_miou',
    'undersegmentation_counts', 'undersegmentation_error'
]
