"""Prototypes of segments: normalised means of the embeddings of their pixels.

HSG's losses (Ke et al., CVPR 2022, Sec. 3) compare the pixels of a batch, as
rows, with the prototypes of all of its segments; retrieval uses those of each
image (:func:`segment_prototypes`).

Legend: V views, D channels, h x w pixels, P pixels that have a segment,
N segments of the batch, or fine segments of an image, M coarser ones made of
them, B images. Labels are int64, -1 = none.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from .checks import check_shape, check_tokens, wide
from .label_sums import sum_by_label


def select_pixels(embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Embeddings of unit length of the pixels that have a segment.

    The others are left out before anything is computed: not even NaN there
    affects values or gradients.

    Args:
        embeddings (Tensor): (V, D, h, w) float.
        labels (Tensor): (V, h, w) int64, -1 = none.

    Returns:
        tuple[Tensor, Tensor]: Embeddings (P, D), float32 or wider, and the
        segments of the pixels, (P,) int64, in the order view, row, column.
    """
    check_shape((len(embeddings), *embeddings.shape[2:]), labels=labels)
    valid = labels >= 0
    pixels = wide(embeddings.permute(0, 2, 3, 1)[valid])
    return F.normalize(pixels, dim=1), labels[valid]


def batch_prototypes(pixels: Tensor, segments: Tensor,
                     num_segments: int) -> Tensor:
    """Normalised sum of the embeddings of each segment, with gradients.

    Args:
        pixels (Tensor): (P, D) float, of unit length.
        segments (Tensor): (P,) int64 in [0, N - 1].
        num_segments (int): N.

    Returns:
        Tensor: (N, D) of unit length, float32 or wider; zero for a segment
        without pixels.
    """
    return F.normalize(_sums(pixels, segments, num_segments), dim=1)


def segment_positions(encoding: Tensor, labels: Tensor,
                      num_segments: int) -> Tensor:
    """Mean of a positional encoding over the pixels of each segment.

    Args:
        encoding (Tensor): (h, w, D) float, the same for all views.
        labels (Tensor): (V, h, w) int64 in [-1, N - 1].
        num_segments (int): N.

    Returns:
        Tensor: (N, D), float32 or wider; zero for a segment without pixels.
    """
    check_shape((*labels.shape[1:], encoding.size(-1)), encoding=encoding)
    valid = (labels >= 0).nonzero()
    segments = labels[valid.unbind(1)]
    sums = _sums(encoding[valid[:, 1], valid[:, 2]], segments, num_segments)
    sizes = torch.bincount(segments, minlength=num_segments)
    return sums / sizes.clamp(min=1)[:, None]


def segment_prototypes(embeddings: Tensor,
                       sizes: Tensor,
                       parents: Tensor,
                       num_segments: int,
                       empty: Tensor | None = None) -> Tensor:
    """Normalised mean of the embeddings over the pixels of coarse segments.

    All pixels of a fine segment have its embedding, so this is the mean over
    fine segments, weighted by their sizes.

    Args:
        embeddings (Tensor): (B, N, D) float, unit length; summed in at least
            float32.
        sizes (Tensor): (B, N) int64, pixels of each fine segment.
        parents (Tensor): (B, N) int64 in [-1, M - 1], coarse segment of each
            fine one, -1 = none.
        num_segments (int): M, at least 1.
        empty (Tensor, optional): (B, N) bool, fine segments to leave out.

    Returns:
        Tensor: (B, M, D), float32 or wider, of unit length; zero for a segment
        without pixels.
    """
    check_tokens(empty, embeddings=embeddings)
    check_shape(embeddings.shape[:2], sizes=sizes, parents=parents)
    if empty is not None:
        parents = parents.masked_fill(empty, -1)
    embeddings = wide(embeddings)
    with torch.autocast(embeddings.device.type, enabled=False):
        weighted = embeddings * sizes[..., None].to(embeddings.dtype)
        sums, _ = sum_by_label(weighted, parents, num_segments)
        return F.normalize(sums, dim=2)


def _sums(values: Tensor, segments: Tensor, num_segments: int) -> Tensor:
    """(N, C) sums; a matrix of zeros and ones would be pixels x segments.

    On a GPU their last bits vary, unless torch is asked to be deterministic.
    """
    values = wide(values)
    sums = values.new_zeros(num_segments, values.size(1))
    return sums.index_add(0, segments, values)
