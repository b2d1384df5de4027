"""Put ground truth where MMSegmentation's transforms look for it."""

import numpy as np

from ..files import check_size


def add_seg_map(results: dict, labels: np.ndarray, name: str) -> dict:
    """Add a label map, (H, W) uint8, to the results of a pipeline.

    Raises:
        UserError: If the map does not have the size of the image as it was
            loaded.

    Example:
        >>> labels = np.array([[0, 1, 255]], dtype=np.uint8)
        >>> add_seg_map(dict(label_map={0: 255, 1: 0}), labels, 'map')
        {'label_map': {0: 255, 1: 0}, 'gt_seg_map': array([[255,   0, 255]], \
dtype=uint8), 'seg_fields': ['gt_seg_map']}
    """
    size = results.get('ori_shape')
    # Ground truth may be loaded after the image has been resized.
    if size is not None:
        check_size(name, labels.shape, results.get('img_path'), size[:2])
    if results.get('label_map') is not None:
        # All at once: a new id may be the old id of another class.
        table = np.arange(256, dtype=np.uint8)
        for old, new in results['label_map'].items():
            table[old] = new
        labels = table[labels]
    results['gt_seg_map'] = labels
    # Not in place: the list may belong to the dataset.
    results['seg_fields'] = [*results.get('seg_fields', ()), 'gt_seg_map']
    return results
