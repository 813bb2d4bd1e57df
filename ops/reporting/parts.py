"""What the sections of the page have in common. Pure."""

from ..wording import counted
from .markup import Markup, element


def section(heading: str, *content: object) -> Markup:
    return element("section", element("h2", heading), *content)


def seconds(number: float | None) -> str:
    """A duration for people, in the unit that suits it."""
    if number is None:
        return "not known"
    for unit, name, limit in ((1, "s", 120), (60, "min", 120), (3600, "h", 48)):
        if number < limit * unit:
            return f"{number / unit:,.1f} {name}"
    return f"{number / 86_400:,.1f} days"


def note(text: str) -> Markup:
    return element("p", text, class_="note")


def left_out(number: int, shown: int, noun: str) -> Markup:
    if number <= shown:
        return Markup()
    return note(f"{counted(number - shown, noun)} more: not listed here.")
