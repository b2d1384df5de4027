"""Strategies of MMEngine's FlexibleRunner."""

from .sharded_strategy import ShardedStrategy
from .wrap_policy import wrap_by_class_name

__all__ = ['ShardedStrategy', 'wrap_by_class_name']
