"""Settings of the tests, and of the search for examples in docstrings."""

# Before MMPretrain: it repairs what the installed stack needs.
import mmhierseg  # noqa: F401

# Configs that read `_base_` are no modules.
collect_ignore = ['configs']
