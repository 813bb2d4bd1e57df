"""The settings of a feed, as its file has them, from what was found out. Only those that are not at their defaults."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from csv_ingest.feed import FORMAT_SETTINGS, Feed
from csv_ingest.model import DELIMITERS, NO_HEADER, SEARCH, Column, FileFormat
from csv_ingest.settings import given

from . import names
from .reading import Found
from .sheet import Sheet

_IN_ORDER = (
    *("encoding", "delimiter", "quote", "escape", "trim", "header", "header_names", "footer_records", "short_rows"),
    *("id_column", "null_values", "true_values", "false_values", "decimal_separator", "grouping_separator"),
    *("number_style", "affixes", "date_format", "timestamp_format", "timezone"),
)
_PACKED = (".gz", ".bz2", ".xz", ".zip")
_MIN_ROWS = 2
"""Of a column that is declared as required: a single row says nothing about others."""


def settings(found: Found, name: str) -> dict[str, Any]:
    """The settings that `Feed.of_settings` takes. The setting has words for characters that have one."""
    shared = _shared_formats(found)
    columns = declared(found, shared)
    values = _of_files(found) | _of_rows(found, columns) | found.types.settings
    values |= {f"{type_}_format": list(formats) for type_, formats in shared.items()}
    kept = {key: value for key, value in values.items() if value != []} | {"columns": _parsed(columns)}
    format_ = FileFormat(**kept)
    different = given(format_)
    written = {key: _written(key, values[key]) for key in _IN_ORDER if key in different}
    suffixes = {"key_suffixes": more} if (more := _suffixes(found.sheets)) else {}
    return {"key_prefix": f"{name}/"} | suffixes | written | ({"columns": _parsed(columns)} if columns else {})


def declared(found: Found, shared: Mapping[str, Sequence[str]]) -> dict[str, Column]:
    """The columns that have a type. The id has none, if it is one column."""
    types = found.types
    chosen = [name for name in found.columns if name in types.types and (name,) != found.ids.columns]
    in_destination = names.stored_as(chosen, Feed().reserved_names)
    return {
        name: Column(
            name,
            types.types[name],
            required=is_required(found, name),
            stored_as=in_destination[name],
            formats=() if types.types[name] in shared else types.formats.get(name, ()),
        )
        for name in chosen
    }


def is_required(found: Found, name: str) -> bool:
    """Whether the column is never empty in any file."""
    cells = found.columns[name]
    return not cells.empty and name not in found.types.nulls and cells.filled >= _MIN_ROWS


def _shared_formats(found: Found) -> dict[str, tuple[str, ...]]:
    """The formats that all dates, or timestamps, of the feed have; those in ISO 8601 have none."""
    shared = {}
    for type_ in ("date", "timestamp"):
        each = {found.types.formats.get(name, ()) for name, of in found.types.types.items() if of == type_}
        if len(each) == 1 and (formats := each.pop()):
            shared[type_] = formats
    return shared


def _parsed(columns: Mapping[str, Column]) -> dict[str, Any]:
    return {name: column.declaration for name, column in columns.items()}


def _of_files(found: Found) -> dict[str, Any]:
    format_ = found.format
    return {key: getattr(format_, key) for key in ("encoding", "delimiter", "quote", "escape", "trim")}


def _of_rows(found: Found, columns: Collection[str]) -> dict[str, Any]:
    short = {"short_rows": "fill"} if found.fills else {}
    return (
        {"footer_records": found.footers, "id_column": found.ids.setting}
        | short
        | _head(found, {*found.ids.columns, *columns})
    )


def _head(found: Found, searched: set[str]) -> dict[str, Any]:
    """Where the header is. `searched` are the names that the first record has in which `search` finds it."""
    first = found.sheets[0].head
    above = [cells for sheet in found.sheets for cells in sheet.head.above]
    if not first.line:
        return {"header": NO_HEADER, "header_names": first.names}
    if above:
        # A further line above the header would hide it from a number, so the number is for titles with the same names.
        is_found = searched and not any(searched <= set(cells) for cells in above)
        return {"header": SEARCH if is_found else first.line}
    # Without an id and columns, a file without a header would lose its first row to it, and nobody would be told.
    return {} if searched else {"header": "first"}


def _written(key: str, value: Any) -> Any:
    """A value as a person writes it."""
    if key == "delimiter":
        return {character: word for word, character in DELIMITERS.items()}.get(value, value)
    if isinstance(value, list):
        return value[0] if len(value) == 1 and key.endswith("_format") else value
    if isinstance(value, bool | int):
        return value
    return FORMAT_SETTINGS[key].metadata["type"].to_text(value)


def _suffixes(sheets: Sequence[Sheet]) -> list[str]:
    """How the files end, if files that end so are not ingested without a setting."""
    if all(sheet.name.endswith(Feed.key_suffixes) for sheet in sheets):
        return []
    return sorted({suffix for sheet in sheets if (suffix := _suffix(sheet.name))})


def _suffix(name: str) -> str:
    parts = name.split(".")
    last = parts[-2:] if len(parts) > 2 and f".{parts[-1]}" in _PACKED else parts[-1:]  # noqa: PLR2004  name.csv.gz
    return f".{'.'.join(last)}" if len(parts) > 1 else ""
