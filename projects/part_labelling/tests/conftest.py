"""A substitute for torchvision's NMS where its operators do not load."""

import pytest
import torch


def greedy_nms(boxes, scores, iou_threshold):
    """Suppress boxes that overlap one with a better score."""
    from torchvision.ops import box_iou
    overlaps = box_iou(boxes, boxes) > iou_threshold
    kept = []
    for i in scores.argsort(descending=True, stable=True).tolist():
        if not overlaps[i, kept].any():
            kept.append(i)
    return torch.tensor(kept, dtype=torch.long)


@pytest.fixture(autouse=True)
def torchvision_without_operators(monkeypatch):
    """Those of its wheel do not load beside a CPU-only torch."""
    from torchvision.extension import _has_ops
    if not _has_ops():
        monkeypatch.setattr('torchvision.ops.boxes.nms', greedy_nms)
