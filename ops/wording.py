"""How counts are said."""


def counted(number: int, noun: str) -> str:
    """A count with its noun, such as `1 row` and `1,234 rows`. The noun is given for one, and is regular."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
