"""Checks of options."""

from numbers import Integral, Real


def check_number(name: str, value: float, minimum: float,
                 maximum: float = float('inf'), whole: bool = False) -> None:
    """Raise TypeError or ValueError unless a number lies in a range.

    NaN lies in none; with ``whole`` it must be an integer.
    """
    kind, noun = (Integral, 'an integer') if whole else (Real, 'a number')
    if isinstance(value, bool) or not isinstance(value, kind):
        raise TypeError(f'`{name}` must be {noun}, got {value!r} of type '
                        f'{type(value).__name__}')
    if not value >= minimum:
        raise ValueError(f'`{name}` must be at least {minimum}, got {value}')
    if not value <= maximum:
        raise ValueError(f'`{name}` must be at most {maximum}, got {value}')
