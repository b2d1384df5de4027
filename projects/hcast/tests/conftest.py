# Before MMPretrain: it repairs what the installed stack needs.
import mmhierseg  # noqa: F401
