"""The names in a header: where each column is, and what to do about a column that is not there. Pure."""

from collections.abc import Collection, Iterator, Sequence
from itertools import count

from csv_ingest.csvfile.records import Record, Records
from csv_ingest.model import DELIMITERS, FileFormat, UnreadableFile, matcher

MAX_NAME_CHARACTERS = 1_000
"""Characters of column names in an error. A header can be as long as a record."""

MAX_SEARCHED, MAX_SEARCHED_BYTES = 1_000, 1_000_000
"""Records, and bytes, among which a header is searched."""


class Header:
    """The names of a file's columns, as the format of the file matches them."""

    def __init__(self, names: Sequence[str], format_: FileFormat) -> None:
        """Raises UnreadableFile if the file has a column that the settings do not know."""
        self._names, self._format = names, format_
        self._match = matcher(format_)
        self._places: dict[str, list[int]] = {}
        for place, name in enumerate(map(self._match, names)):
            self._places.setdefault(name, []).append(place)
        if format_.known_columns:
            self._require_known()

    @property
    def nameless(self) -> list[int]:
        """The places, from 0, of columns without a name."""
        return [place for place, name in enumerate(self._names) if not name]

    @property
    def last_named(self) -> int:
        """The number of the last column that has a name, from 1."""
        return max((number for number, name in enumerate(self._names, start=1) if name), default=0)

    @property
    def unique(self) -> list[str]:
        """A name for each column: its own, or one that no other column of the file has, if it has none or a second one.

        The same header gives the same names.
        """
        taken, seen, names = set(self._names), set(), []
        numbers: dict[str, Iterator[int]] = {}
        for number, name in enumerate(self._names, start=1):
            unique, beginning = name, name or f"column_{number}"
            if not name and beginning not in taken:
                unique = beginning
            elif not name or name in seen:
                following = numbers.setdefault(beginning, count(2))
                unique = next(each for each in (f"{beginning}_{n}" for n in following) if each not in taken)
            taken.add(unique)
            seen.add(name)
            names.append(unique)
        return names

    def place(self, wanted: str, setting: str) -> int:
        """The place of a column, from 0, that a setting names. Raises UnreadableFile unless the file has it once."""
        places = self._places.get(self._match(wanted), [])
        if len(places) > 1:
            raise UnreadableFile(
                f"header: columns {places[0] + 1} and {places[1] + 1} have the same name, {wanted!r}, which {setting} "
                "names: rename one of them"
            )
        if not places:
            raise self._lacks(wanted, setting)
        return places[0]

    def _lacks(self, wanted: str, setting: str) -> UnreadableFile:
        found = ", ".join(map(repr, self._names))[:MAX_NAME_CHARACTERS]
        advice = (
            _other_encoding(self._names, self._format.encoding)
            or _other_delimiter(self._names, wanted, self._format.delimiter)
            or f"rename a column, or set {setting}"
        )
        return UnreadableFile(f"header: no column is named {wanted!r}; the columns are {found}: {advice}")

    def _require_known(self) -> None:
        known = {*map(self._match, (*self._format.known_columns, *self._format.needed_columns)), self._match("")}
        if unknown := [self._names[places[0]] for name, places in self._places.items() if name not in known]:
            found = ", ".join(map(repr, unknown))[:MAX_NAME_CHARACTERS]
            raise UnreadableFile(f"header: not among known_columns: {found}: leave the column out, or add it there")


def search(all_: Iterator[Record], records: Records) -> Record:
    """The first of all records that has the names of all columns that the settings need. Raises UnreadableFile."""
    format_ = records.format
    match, read = matcher(format_), 0
    wanted = set(map(match, format_.needed_columns))
    for record in all_:
        if wanted <= set(map(match, record[1])):
            return record
        read += 1
        if read >= MAX_SEARCHED or records.position > MAX_SEARCHED_BYTES:
            break
    names = ", ".join(map(repr, format_.needed_columns))
    raise UnreadableFile(
        f"header: none of the first {read:,} records has all of the columns {names}: correct the settings, or the file"
    )


def _other_encoding(names: Sequence[str], encoding: str) -> str | None:
    """Which encoding to set, if the names are those of a file in UTF-8 that was read as UTF-16."""
    if not encoding.startswith("utf-16"):
        return None
    try:
        "".join(names).encode("utf-16-be" if encoding == "utf-16-be" else "utf-16-le").decode("utf-8")
    except UnicodeError:
        return None
    return "is the file utf-8? set encoding=utf-8"


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
