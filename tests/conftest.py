"""Imported before any test: repairs the installed stack, see ``_compat``."""

import mmhierseg  # noqa: F401
