"""Version of the package; ``setup.py`` reads it without importing it."""

__version__ = '0.3.0'
