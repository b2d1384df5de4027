"""Bottom layer: errors, whole files, safe reading, gathering of rows."""

from mmhierseg._base.errors import UserError

__all__ = ['UserError']
