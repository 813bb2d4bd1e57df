"""How counts and progress are said."""

from collections.abc import Callable

Progress = Callable[[str], None]  # is told how far a long step is, such as "3 of 8"


def silent(_how_far: str) -> None:
    """Progress that nobody is told."""


def counted(number: int, noun: str) -> str:
    """A count with its noun, such as `1 row` and `1,234 rows`. The noun is given for one, and is regular."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
