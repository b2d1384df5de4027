"""Training and testing from the command line."""

from mmhierseg.cli.adapt import adapt_config

__all__ = ['adapt_config']
