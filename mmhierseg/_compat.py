"""Repairs of the installed stack; each does nothing where it is not needed."""


def apply() -> None:
    """Apply every repair."""
