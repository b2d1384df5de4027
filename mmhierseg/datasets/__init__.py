"""Data sets and their transforms."""

from .part_whole_scenes import PartWholeScenes

__all__ = ['PartWholeScenes']
