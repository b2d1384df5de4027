"""Objects and parts from the embeddings of segments and of names.

CAST (Ke et al., ICLR 2024, arXiv 2210.00314) names the segments of
PartImageNet by CLIP, as OVSeg (Liang et al., CVPR 2023) does masks: a
segment's picture is the image with all other pixels set to a constant, and its
name the text with the largest cosine. Objects are named first; a segment of
the level of parts is one of the parts of the object at its first pixel.

Legend: n segments, D channels of embeddings, O objects, P parts, H x W pixels.
Segments are numbered 0 to n - 1 without gaps, int64, -1 = none. Embeddings
have unit length. The background is the last id, O or P.
"""

import torch
from torch import Tensor

#: Value of the pixels around a segment, after CLIP's normalisation.
FILL = 0.5


def segment_pictures(image: Tensor, labels: Tensor,
                     num_segments: int) -> Tensor:
    """Picture of each segment, (n, 3, H, W).

    Args:
        image (Tensor): (3, H, W) float, as CLIP normalises it.
        labels (Tensor): (H, W), the segments.
        num_segments (int): n.
    """
    ids = torch.arange(num_segments, device=labels.device)
    masks = labels == ids[:, None, None]
    return torch.where(masks[:, None], image, FILL)


def label_objects(labels: Tensor, pictures: Tensor, names: Tensor) -> Tensor:
    """Name each segment by the most similar object, or the background.

    Args:
        labels (Tensor): (H, W), the segments.
        pictures (Tensor): (n, D), embeddings of their pictures.
        names (Tensor): (O + 1, D), embeddings of the objects' names and of
            that of the background.

    Returns:
        Tensor: (H, W) int64 in [0, O]; O where there is no segment.
    """
    return _paint(labels, (pictures @ names.T).argmax(dim=1), len(names) - 1)


def label_parts(labels: Tensor, objects: Tensor, pictures: Tensor,
                names: Tensor, object_of_part: Tensor) -> Tensor:
    """Name each segment by the most similar part of its object.

    Its object is the one of its first pixel, row by row. If this is the
    background, so is the segment.

    Args:
        labels (Tensor): (H, W), the segments.
        objects (Tensor): (H, W) int64 in [0, O].
        pictures (Tensor): (n, D), embeddings of the segments' pictures.
        names (Tensor): (P, D), embeddings of the parts' names.
        object_of_part (Tensor): (P,) int64 in [0, O - 1]; each object has a
            part.

    Returns:
        Tensor: (H, W) int64 in [0, P]; P where there is no segment.
    """
    flat, background = labels.flatten(), len(names)
    places = torch.arange(len(flat), device=flat.device)
    covered = flat >= 0
    first = places.new_full((len(pictures), ), len(flat)).scatter_reduce(
        0, flat[covered], places[covered], 'amin')
    own = objects.flatten()[first]
    is_part = object_of_part == own[:, None]
    scores = (pictures @ names.T).masked_fill(~is_part, -torch.inf)
    parts = torch.where(
        is_part.any(dim=1), scores.argmax(dim=1), background)
    return _paint(labels, parts, background)


def _paint(labels: Tensor, classes: Tensor, background: int) -> Tensor:
    """Write the class of each segment to its pixels."""
    # The last entry is that of label -1.
    return torch.cat([classes, classes.new_tensor([background])])[labels]
