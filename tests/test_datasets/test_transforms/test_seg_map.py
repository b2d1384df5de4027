import numpy as np

from mmhierseg.datasets.transforms.seg_map import add_seg_map


def test_classes_change_all_at_once():
    """Ids that are given may be ids that are taken away."""
    labels = np.array([[0, 1], [2, 255], [1, 0]], dtype=np.uint8)
    results = add_seg_map(
        dict(label_map={0: 1, 1: 0, 2: 255}), labels, 'map')
    assert results['gt_seg_map'].tolist() == [[1, 0], [255, 255], [0, 1]]
    assert labels[2].tolist() == [1, 0]


def test_list_of_fields_is_not_edited():
    fields = ['segment_map']
    labels = np.zeros((2, 3), dtype=np.uint8)
    results = add_seg_map(dict(seg_fields=fields), labels, 'map')
    assert results['seg_fields'] == ['segment_map', 'gt_seg_map']
    assert fields == ['segment_map']
