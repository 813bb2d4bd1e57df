"""The names that columns get in the destination, and the name of a feed."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from itertools import count
from pathlib import Path

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")  # a name that a column can have in the destination

_MAX_FEED = 20


def stored_as(names: Iterable[str], reserved: Collection[str]) -> dict[str, str]:
    """A name in the destination for each column, its own if that is possible. They differ, and none is reserved."""
    taken, found = set(reserved), {}
    for name in names:
        found[name] = next(each for each in _possible(name) if each not in taken)
        taken.add(found[name])
    return found


def _possible(name: str) -> Iterator[str]:
    """Names that a column can have in the destination, the best name first."""
    if NAME.fullmatch(name):
        yield name
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    word = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")[:50] or "column"
    word = f"_{word}" if word[0].isdigit() else word
    yield word
    yield from (f"{word}_{number}" for number in count(2))


def of_feed(file: Path) -> str:
    """A name for a feed, made of that of a file: letters of lower case, digits and hyphens."""
    plain = unicodedata.normalize("NFKD", file.name.split(".")[0]).encode("ascii", "ignore").decode().lower()
    word = re.sub(r"^[^a-z]+", "", re.sub(r"[^a-z0-9]+", "-", plain))
    return word[:_MAX_FEED].strip("-") or "feed"
