"""Checks the declaration of typed columns: `{"Preis": "decimal required as price"}`. docs/settings.md has the notation.

The function parses the same notation with its own code, because neither side imports the other.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

TYPES = ("text", "integer", "decimal", "boolean", "date", "timestamp")
MAX_BYTES = 3_000
"""Of the declaration's JSON: the rest of Lambda's 4 KB is for the function's other variables."""

_NOTATION = re.compile(rf"({'|'.join(TYPES)})( required)?( as (?P<other>\S+))?")
_DESTINATION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_OWN_NAMES = {"pk", "etag", "line", "data"}


class InvalidColumn(ValueError):
    """A declaration that cannot be used. The message is a sentence that names the column and says what to do."""


def parse(text: str) -> str:
    """Check a declaration, and return it as compact JSON.

    Raises InvalidColumn, or another ValueError for text that is no JSON object at all.
    """
    declared = json.loads(text)
    if not isinstance(declared, dict):
        raise ValueError(text)  # noqa: TRY004  a value, of text that a person wrote
    by_destination: dict[str, str] = {}
    for name, notation in declared.items():
        destination = _destination_name(name, notation)
        if other := by_destination.get(destination):
            raise InvalidColumn(
                f'columns {other!r} and {name!r} would both be stored as {destination!r}: add "as" and another name'
            )
        by_destination[destination] = name
    compact = to_json({name: " ".join(notation.split()) for name, notation in declared.items()})
    if (size := len(compact.encode())) > MAX_BYTES:
        raise InvalidColumn(
            f"{len(declared)} columns from {next(iter(declared))!r} on have {size:,} bytes of JSON, and {MAX_BYTES:,} "
            "are allowed: declare fewer columns; the others are stored as text"
        )
    return compact


def stored_names(text: str) -> dict[str, str]:
    """The name under which each column of a checked declaration is stored."""
    return {name: _destination_name(name, notation) for name, notation in json.loads(text).items()}


def to_json(declared: Mapping[str, Any]) -> str:
    return json.dumps(declared, ensure_ascii=False, separators=(",", ":"))


def _destination_name(name: str, notation: Any) -> str:
    """The name under which a column is stored. Raises InvalidColumn."""
    if not name:
        raise InvalidColumn(f"column '' ({notation!r}) has an empty name: write its name in the file's header")
    found = isinstance(notation, str) and _NOTATION.fullmatch(" ".join(notation.split()))
    if not found:
        raise InvalidColumn(
            f"column {name!r}: {notation!r} is not a type: write one of {', '.join(TYPES)}, then optionally "
            '"required", then optionally "as" and another name'
        )
    destination = found["other"] or name
    if not _DESTINATION_NAME.fullmatch(destination):
        raise InvalidColumn(
            f'column {name!r} cannot be stored as {destination!r}: add "as" and a name of letters, digits and '
            "underscores that does not begin with a digit, at most 63 characters"
        )
    if destination in _OWN_NAMES:
        raise InvalidColumn(
            f'column {name!r} cannot be stored as {destination!r}, which every row has already: add "as" and another '
            "name"
        )
    return destination
