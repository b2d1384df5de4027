"""Strategies of MMEngine's FlexibleRunner."""

from mmhierseg.engine.fsdp.sharded_strategy import ShardedStrategy
from mmhierseg.engine.fsdp.wrap_policy import wrap_by_class_name

__all__ = ['ShardedStrategy', 'wrap_by_class_name']
