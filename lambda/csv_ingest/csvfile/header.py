"""The names in a header: where each column is, and what to do about a column that is not there. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from csv_ingest.model import DELIMITERS, FileFormat, UnreadableFile

MAX_NAME_CHARACTERS = 1_000
"""Characters of column names in an error. A header can be as long as a record."""


def places(names: Sequence[str]) -> dict[str, int]:
    """The place of each column, from 0. Raises UnreadableFile for a name that is empty or there twice."""
    numbers: dict[str, int] = {}
    for number, name in enumerate(names):
        if not name:
            raise UnreadableFile(f"header: column {number + 1} has no name")
        if (first := numbers.setdefault(name, number)) < number:
            raise UnreadableFile(f"header: columns {first + 1} and {number + 1} have the same name")
    return numbers


def find(wanted: str, numbers: Mapping[str, int], format_: FileFormat, setting: str) -> int:
    """The place of a column that the settings name. Raises UnreadableFile if the file has no such column."""
    if wanted in numbers:
        return numbers[wanted]
    found = ", ".join(map(repr, numbers))[:MAX_NAME_CHARACTERS]
    advice = _other_encoding(numbers) or _other_delimiter(numbers, wanted, format_.delimiter)
    advice = advice or f"rename a column, or set {setting}"
    raise UnreadableFile(f"header: no column is named {wanted!r}; the columns are {found}: {advice}")


def _other_encoding(names: Iterable[str]) -> str | None:
    """Which encoding to set, if the file begins with the mark of UTF-8 in the letters of another encoding."""
    if next(iter(names)).startswith("\u00ef\u00bb\u00bf"):
        return "does the file begin with the mark of UTF-8? set encoding=utf-8"
    return None


def _other_delimiter(names: Collection[str], wanted: str, delimiter: str) -> str | None:
    """Which delimiter the header seems to have; None if it seems to be the one with which it was read.

    That is one by which the column is among the names, or one that the names have more often than they have `delimiter`
    between them.
    """
    others = {character: word for word, character in DELIMITERS.items() if character != delimiter}
    for character, word in others.items():
        if any(wanted in name.split(character) for name in names):
            return f"is the delimiter a {word}? set delimiter={word}"
    count, word = max((sum(name.count(character) for name in names), word) for character, word in others.items())
    if count < len(names):
        return None
    return f"it seems to be delimited by {word}s, without a column of that name: is it a file of another feed?"
