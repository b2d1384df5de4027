"""A web page of an image whose segments answer with similar ones.

The page is one file that needs no network: ``templates/retrieval.html`` with
the scripts, the style and the data inside.

Legend: images are RGB in 0..255, (H, W, 3) uint8, of any size each; label maps
are (H, W) integer, -1 = none.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from .figure import resize, resize_nearest
from .page import embed_image, embed_labels, fill_template

#: Longer side in pixels of the query, and of the other images.
_QUERY, _OTHER = 1024, 256


class LevelImage(NamedTuple):
    """An image and its segments at every level."""

    image: np.ndarray
    """(H, W, 3) uint8, RGB."""
    label_maps: Sequence[np.ndarray]
    """Per level, fine to coarse, (H, W) integer, -1 = none."""
    name: str = ''
    """Shown as text, whatever it holds."""


def retrieval_page(query: LevelImage,
                   others: Iterable[LevelImage],
                   neighbors: Sequence[dict[int, list[tuple[int, int,
                                                            float]]]],
                   level: int = 0,
                   point: tuple[int, int] | None = None) -> str:
    """Page on which a click on the query shows its neighbours, as HTML.

    Args:
        query (LevelImage): The query.
        others (Iterable[LevelImage]): Images of the neighbours; one at a time
            is in memory.
        neighbors (Sequence[dict]): Per level, by segment of the query, (index
            in ``others``, segment, cosine), most similar first.
        level (int): Shown first.
        point (tuple[int, int], optional): (x, y) of a pixel that is asked for
            at first.
    """
    images = [_embed(query, _QUERY)]
    images += [_embed(other, _OTHER) for other in others]
    if point is not None:
        size = _size(query.image, _QUERY)
        point = [int((place + 0.5) * new / old) for place, new, old in zip(
            point, size[::-1], query.image.shape[1::-1])]
    levels = [
        dict(name=f'Level {number}', neighbors={
            segment: [(i + 1, other, round(cosine, 4))
                      for i, other, cosine in found]
            for segment, found in nearest.items()
        }) for number, nearest in enumerate(neighbors)
    ]
    return fill_template('retrieval', dict(
        images=images, levels=levels, level=level, point=point))


def _size(image: np.ndarray, longest: int) -> list[int]:
    scale = min(1., longest / max(image.shape[:2]))
    return [max(1, round(n * scale)) for n in image.shape[:2]]


def _embed(item: LevelImage, longest: int) -> dict:
    """Data of an image for the script, at a size to look at."""
    size = _size(item.image, longest)
    labels = [embed_labels(resize_nearest(full, size))
              for full in item.label_maps]
    picture = Image.fromarray(resize(item.image, size))
    return dict(name=item.name, labels=labels,
                image=embed_image(picture, 'JPEG', quality=85))
