"""Read, match and convert checkpoints."""

from .cast import convert_cast_checkpoint, fuse_stems
from .converted import ConvertedCheckpoint
from .dino import convert_dino_checkpoint
from .hsg import convert_hsg_checkpoint
from .matching import (
    check_initial_weights,
    check_matches,
    check_resumable,
    check_shares,
    fingerprint,
    load_weights,
    match,
    read_checkpoint,
    read_safely,
    resnet_names,
)
from .published import find_weights, published_names

__all__ = [
    'ConvertedCheckpoint', 'check_initial_weights', 'check_matches',
    'check_resumable', 'check_shares', 'convert_cast_checkpoint',
    'convert_dino_checkpoint', 'convert_hsg_checkpoint', 'find_weights',
    'fingerprint', 'fuse_stems', 'load_weights', 'match', 'published_names',
    'read_checkpoint', 'read_safely', 'resnet_names'
]
