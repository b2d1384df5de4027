"""Points of the curves, and the measurement of one.

Legend: N = (side / 16)^2 tokens: segments of CAST, patches of the ViT.
"""

from typing import Callable, Dict, List, NamedTuple, Optional

import torch

from benchmarks.common.memory import peak_bytes
from benchmarks.common.timing import take_turns
from benchmarks.cost.models import CONTENDERS, Contender
from benchmarks.cost.work import MODES, Step

__all__ = ['MODELS', 'Point', 'grown', 'measure_point', 'points_of']

#: CAST and what it is compared with.
MODELS = ('cast-s', 'vit-s')
_PATCH = 16
#: Share of the tokens that each pooling of CAST-S leaves: 64, 32, 16 and 8
#: of 196.
_SHARES = tuple(number / 196 for number in (64, 32, 16, 8))


class Point(NamedTuple):
    """Where the models are measured."""

    mode: str
    """One of the modes of ``benchmarks/cost``."""

    img_size: int
    batch_size: int

    @property
    def tokens(self) -> int:
        """Segments, or patches, of an image.

        Returns:
            int: N.
        """
        return (self.img_size // _PATCH)**2

    @property
    def work(self) -> float:
        """What time would be proportional to if attention cost nothing."""
        return self.tokens * self.batch_size


def points_of(mode: str, sizes: List[int], batches: List[int]) -> List[Point]:
    """All points of a mode, the cheapest first.

    Args:
        mode (str): One of the modes of ``benchmarks/cost``.
        sizes (list[int]): Sides of images, in batches of the first number.
        batches (list[int]): Numbers of images, of the first side.

    Returns:
        list[Point]: Each once.

    Example:
        >>> [p[1:] for p in points_of('inference-fp32', [64, 96], [1, 2])]
        [(64, 1), (64, 2), (96, 1)]
    """
    points = {Point(mode, size, batches[0]) for size in sizes}
    points |= {Point(mode, sizes[0], number) for number in batches}
    return sorted(points, key=lambda point: (point.work, point.img_size))


def grown(img_size: int) -> Contender:
    """CAST-S whose poolings leave the same shares of more tokens.

    Args:
        img_size (int): Height and width of images.

    Returns:
        Contender: For ``benchmarks/cost``.
    """
    tokens = (img_size // _PATCH)**2
    clusters = [max(round(share * tokens), 1) for share in _SHARES]
    return CONTENDERS['cast-s']._replace(
        classifier_options={'model.backbone.num_clusters': clusters})


def measure_point(point: Point, repeats: int, device: str,
                  progress: Optional[Callable[[str], None]] = None
                  ) -> Dict[str, dict]:
    """Time both models in turns, and count their memory.

    Args:
        point (Point): Where.
        repeats (int): Rounds.
        device (str): 'cpu' or 'cuda'.
        progress (Callable, optional): Is told what has been done.
            Defaults to None.

    Returns:
        Dict[str, dict]: By model, ``seconds`` of a step in each round, and in
        bytes ``held`` (weights and the like) and ``step``, the most that is
        taken above it. Empty where a GPU's memory does not suffice.
    """
    try:
        steps = {
            name: Step(
                grown(point.img_size) if name == 'cast-s' else
                CONTENDERS[name], MODES[point.mode], point.batch_size,
                point.img_size, False, device)
            for name in MODELS
        }
        seconds = take_turns(steps, repeats, warmup=1, device=device,
                             progress=progress)
        return {
            name: dict(
                seconds=seconds[name],
                held=step.held_bytes(),
                step=peak_bytes(step, device))
            for name, step in steps.items()
        }
    except torch.OutOfMemoryError:
        return {}
