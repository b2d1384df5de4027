"""What transforms that load ground truth do with it."""

import numpy as np

__all__ = ['add_seg_map']


def add_seg_map(results: dict, labels: np.ndarray, name: str) -> dict:
    """Put a label map where MMSegmentation's transforms look for it.

    Args:
        results (dict): Result dict of the pipeline; gets ``gt_seg_map`` and
            another ``seg_fields``.
        labels (np.ndarray): (H, W) uint8.
        name (str): What the map is, for the message.

    Returns:
        dict: ``results``.

    Raises:
        ValueError: If the map does not have the size of the image as it was
            loaded.

    Example:
        >>> labels = np.array([[0, 1, 255]], dtype=np.uint8)
        >>> add_seg_map(dict(label_map={0: 255, 1: 0}), labels, 'map')
        {'label_map': {0: 255, 1: 0}, 'gt_seg_map': array([[255,   0, 255]], \
dtype=uint8), 'seg_fields': ['gt_seg_map']}
    """
    size = results.get('ori_shape')
    # Ground truth may be loaded after the image has been resized.
    if size is not None and tuple(labels.shape) != tuple(size[:2]):
        raise ValueError(
            f'{name} is {labels.shape[0]} x {labels.shape[1]} but its image '
            f"'{results.get('img_path')}' {size[0]} x {size[1]}: the two do "
            'not belong together')
    if results.get('label_map') is not None:
        # All at once: ids that are given may be ids that are taken away.
        table = np.arange(256, dtype=np.uint8)
        for old, new in results['label_map'].items():
            table[old] = new
        labels = table[labels]
    results['gt_seg_map'] = labels
    # Not in place: the list may belong to the data set.
    results['seg_fields'] = [*results.get('seg_fields', ()), 'gt_seg_map']
    return results
