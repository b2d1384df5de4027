"""Helpers shared by the conversions of the authors' checkpoints."""

from typing import Any, NamedTuple

from torch import Tensor

StateDict = dict[str, Tensor]


class ConvertedCheckpoint(NamedTuple):
    """Result of a conversion."""

    state_dict: StateDict
    """Weights in float32, by the names of this project."""

    kind: str
    """'moco', 'moco_seg', 'moco_vit', 'deit' or 'deit_seg'; 'hsg' with
    clustering transformers, 'hsg_embedding' without; 'dinov2' or 'dinov3'."""

    unconverted: list[str]
    """Keys of the source without a counterpart, or not requested."""

    options: dict
    """Options of the backbone, with its type, or of ``HSGHead``, that follow
    from the weights."""


def to_float32(state_dict: StateDict) -> StateDict:
    """Convert floating-point weights only."""
    return {
        key: value.float() if value.is_floating_point() else value
        for key, value in state_dict.items()
    }


def describe(checkpoint: Any) -> Any:
    """Contents of a checkpoint, for an error message."""
    return sorted(map(str, checkpoint))[:8] if isinstance(
        checkpoint, dict) else type(checkpoint).__name__
