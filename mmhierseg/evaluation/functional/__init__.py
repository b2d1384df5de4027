"""Functions of the metrics: label maps or masks of one image in, counts out.

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
from .clicks import click_curves, number_of_clicks
from .clustering import (
    Agreement,
    agreement,
    covering,
    probabilistic_rand_index,
    variation_of_information,
)
from .containment import (
    part_containment,
    semantic_consistency,
    spatial_consistency,
)
from .human_boundaries import segmentation_boundary_counts
from .image_miou import per_image_miou
from .masks import MaskOverlaps, overlaps_of
from .recall import average_recall, recall_counts
from .regions import (
    class_areas,
    covering_sums,
    majority_labels,
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
    'Agreement', 'BoundaryCounts', 'MaskOverlaps',
    'achievable_segmentation_accuracy', 'achievable_segmentation_counts',
    'agreement', 'average_recall', 'boundary_counts', 'boundary_f_score',
    'boundary_precision', 'boundary_recall', 'boundary_recall_counts',
    'class_areas', 'click_curves', 'compactness', 'covering', 'covering_sums',
    'explained_variation', 'explained_variation_sums', 'majority_labels',
    'mean_iou', 'mean_iou_of_areas', 'nf_covering', 'number_of_clicks',
    'overlaps_of', 'part_containment', 'per_image_miou',
    'probabilistic_rand_index', 'recall_counts', 'region_miou',
    'segmentation_boundary_counts', 'semantic_consistency',
    'spatial_consistency', 'undersegmentation_counts',
    'undersegmentation_error', 'variation_of_information'
]
