"""Shared by the converters of checkpoints."""

from mmhierseg.cli.convert import report_left, save_converted

__all__ = ['report_left', 'save_converted']
