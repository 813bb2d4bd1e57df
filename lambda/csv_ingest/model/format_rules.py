"""Which settings of a format do not go together."""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from csv_ingest.model import format_types
from csv_ingest.model.column import require_of_date
from csv_ingest.model.date_format import UNIX, UNIX_MS, BadFormat, DateFormat
from csv_ingest.settings import InvalidSetting

if TYPE_CHECKING:
    from csv_ingest.model.file_format import FileFormat


MAX_LOOSE = 300
"""Characters of a name that is compared loosely."""


def loose(name: str) -> str:
    """A name without what makes no difference where `header_match` is loose: case, form, and spaces around it.

    A name that is longer than any of the settings is none of them, and normalizing it can take hours.
    """
    if len(name) > MAX_LOOSE:
        return name
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold()).strip()


def problems(format_: "FileFormat") -> Iterator[InvalidSetting]:
    """Each reason why the settings of a format cannot be used together."""
    yield from _of_header(format_)
    yield from _of_names(format_)
    yield from _of_characters(format_)
    yield from _of_words(format_)
    yield from _of_moments(format_)


def _of_header(format_: "FileFormat") -> Iterator[InvalidSetting]:
    has_none, given, match = format_.header == format_types.NO_HEADER, format_.header_names, matcher(format_)
    needed = list(map(match, format_.needed_columns))
    if has_none and not given:
        yield InvalidSetting(["header_names"], ": not set, and with header=none they name the columns: list them")
    if given and not has_none:
        yield InvalidSetting(
            ["header_names"], ": they name the columns of a file with header=none: set it, or remove them"
        )
    if has_none and (missing := [name for name in needed if name not in map(match, given)]):
        yield InvalidSetting(
            ["header_names"], f": {missing[0]!r} is not among them, and is a column of the feed: add it"
        )
    known = {*map(match, format_.known_columns), *needed}
    if format_.known_columns and (unknown := [name for name in given if match(name) not in known]):
        yield InvalidSetting(["header_names"], f": {unknown[0]!r} is not among known_columns: add it there")
    if format_.header == format_types.SEARCH and not needed:
        yield InvalidSetting(["header"], "=search: there is no name to search for: set id_column, or declare columns")


def matcher(format_: "FileFormat") -> Callable[[str], str]:
    """What makes of a name the text by which it is compared."""
    return loose if format_.header_match == "loose" else str


def _of_names(format_: "FileFormat") -> Iterator[InvalidSetting]:
    match = matcher(format_)
    lists: dict[str, Sequence[str]] = {
        "id_column": format_.id_columns,
        "columns": [column.name for column in format_.columns],
        "known_columns": format_.known_columns,
        "header_names": format_.header_names,
    }
    for setting, names in lists.items():
        if twice := next((name for name in names if [*map(match, names)].count(match(name)) > 1), None):
            yield InvalidSetting([setting], f": with header_match=loose, {twice!r} is there twice: remove one")


def _of_characters(format_: "FileFormat") -> Iterator[InvalidSetting]:
    if format_.decimal_separator == format_.grouping_separator:
        yield InvalidSetting(["decimal_separator", "grouping_separator"], ": they are the same: change one")
    characters = {name: getattr(format_, name) for name in ("delimiter", "quote", "escape")}
    for name, character in characters.items():
        others = [other for other in characters if other > name and characters[other] == character]
        if character and others:
            yield InvalidSetting([name, *others], ": they are the same character: change one")


def _of_words(format_: "FileFormat") -> Iterator[InvalidSetting]:
    """True, false and null have to be told apart in a cell of a boolean."""
    lists = {name: getattr(format_, name) for name in ("true_values", "false_values", "null_values")}
    words = {name: {each.casefold(): each for each in texts} for name, texts in lists.items()}
    if any(column.type == "boolean" for column in format_.columns):
        words["true_values"] = words["true_values"] or {each: each for each in TRUE_WORDS}
        words["false_values"] = words["false_values"] or {each: each for each in FALSE_WORDS}
    for first, second in (
        ("true_values", "false_values"),
        ("true_values", "null_values"),
        ("false_values", "null_values"),
    ):
        if both := words[first].keys() & words[second].keys():
            yield InvalidSetting([first, second], f": {words[second][min(both)]!r} is in both: remove it from one")


TRUE_WORDS, FALSE_WORDS = ("true", "yes", "1"), ("false", "no", "0")


def _of_moments(format_: "FileFormat") -> Iterator[InvalidSetting]:
    for text in format_.date_format:
        try:
            require_of_date(DateFormat.compile(text))
        except BadFormat as error:
            yield InvalidSetting(["date_format"], f": {error}")
    using = [column for column in format_.columns if column.type == "timestamp" and not column.formats]
    zones = [column.timezone for column in using] or [""]
    timezone = format_.timezone or (zones[0] if all(zones) else "")
    yield from _without_zone("timestamp_format", format_.timestamp_format, timezone)
    for column in format_.columns:
        if column.type == "timestamp":
            yield from _without_zone(
                f"columns: column {column.name!r}: format", column.formats, column.timezone or format_.timezone
            )


def _without_zone(setting: str, texts: Sequence[str], timezone: str) -> Iterator[InvalidSetting]:
    if {UNIX, UNIX_MS} <= set(texts):
        yield InvalidSetting([setting], f": each number is {UNIX} and {UNIX_MS}, which are two moments: keep one")
    for format_ in map(DateFormat.compile, texts):
        if not format_.has_time:
            yield InvalidSetting([setting], f": {format_.text!r} has no hours: declare a date, or add %H")
        if not (format_.has_zone or timezone):
            yield InvalidSetting([setting], f": {format_.text!r} has no %z: add it, or set timezone")
