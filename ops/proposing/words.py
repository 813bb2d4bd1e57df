"""Which columns are booleans, and in which words. Zeros and ones are numbers."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from .cells import Cells

DEFAULT = (("true", "yes"), ("false", "no"))
PAIRS = (
    *(("Y", "N"), ("J", "N"), ("T", "F"), ("ja", "nein"), ("oui", "non"), ("si", "no"), ("sí", "no"), ("on", "off")),
    *(("wahr", "falsch"), ("vrai", "faux"), ("verdadero", "falso"), ("tak", "nie"), ("ano", "ne")),
)
"""Proposed where a column has both words of a pair, and no other. One of them alone can be anything."""

_MAX_WORDS = 12
"""A column with more different cells is no boolean, in whichever case they are written."""


class Words(NamedTuple):
    """The columns that are booleans, and the settings that they need."""

    columns: set[str]
    settings: dict[str, list[str]]


def choose(columns: Mapping[str, Cells], nulls: Mapping[str, Collection[str]]) -> Words:
    """The words under which all columns are booleans that can be."""
    default, used = set[str](), dict[str, tuple[str, str]]()
    for name, cells in columns.items():
        found = {cell.casefold() for cell in cells.first if cell not in nulls[name]}
        if not found or len(cells.first) > _MAX_WORDS:
            continue
        if found <= {word for words in DEFAULT for word in words}:
            default.add(name)
        elif pair := next((each for each in PAIRS if {word.casefold() for word in each} == found), None):
            used[name] = pair
    if not used:
        return Words(default, {})
    lists = [[], []] if not default else [list(words) for words in DEFAULT]
    for pair in used.values():
        for words, word in zip(lists, pair, strict=True):
            if word not in words:
                words.append(word)
    return Words(default | used.keys(), {"true_values": lists[0], "false_values": lists[1]})
