"""Labels of unsupervised segments by CLIP, on PartImageNet."""

from .cache import ResultCache
from .clip import OpenCLIPEncoder
from .labeller import PartLabeller
from .labelling import label_objects, label_parts, segment_pictures
from .metrics import TaskBoundaryFScore, TaskMIoU
from .sam import SAMSegments, mask_levels
from .segments import HierarchySegments
from .transforms import CropForLabelling, PackPartLabelling

__all__ = [
    'CropForLabelling', 'HierarchySegments', 'OpenCLIPEncoder',
    'PackPartLabelling', 'PartLabeller', 'ResultCache', 'SAMSegments',
    'TaskBoundaryFScore', 'TaskMIoU', 'label_objects', 'label_parts',
    'mask_levels', 'segment_pictures'
]
