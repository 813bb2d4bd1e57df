"""Declared columns: their cells have a type, and the destination has them beside `data`."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from csv_ingest.model.date_format import BadFormat, DateFormat
from csv_ingest.model.format_types import TIMEZONE, texts_of
from csv_ingest.settings import InvalidSetting, Problem

TYPES = ("text", "integer", "decimal", "boolean", "date", "timestamp")

OF_EVERY_ROW = ("pk", "etag", "line", "data")
"""What every row has in its destination, by the names that it has there."""

_DECLARATION = re.compile(rf"({'|'.join(TYPES)})( required)?(?: as (\S+))?")
_STORED_AS = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_KEYS = ("type", "format", "timezone", "required", "as")
_HOW = (
    f'write one of {", ".join(TYPES)}, then optionally "required", then optionally "as" and another name; or an object '
    f"with {', '.join(_KEYS)}"
)


class Column(NamedTuple):
    """A declared column."""

    name: str
    """In the header of the file."""
    type: str
    """One of TYPES; `csvfile.cells` has what they accept."""
    required: bool
    """Whether an empty cell rejects the row."""
    stored_as: str
    """Its name in the destination."""
    formats: tuple[str, ...] = ()
    """Of a date or a timestamp, as DateFormat.compile reads them. None: those of the feed."""
    timezone: str = ""
    """Of a timestamp without a zone, as an IANA name. Empty: that of the feed."""

    @classmethod
    def parse(cls, name: str, declaration: Any) -> "Column":
        """The column of a declaration: `TYPE`, `TYPE required`, `TYPE as NAME`, `TYPE required as NAME`, or an object.

        Raises Problem, which names the column and says what to do.
        """
        if not name:
            raise Problem(f"column '' ({declaration!r}) has an empty name: write its name in the file's header")
        column = cls._of_object(name, declaration) if isinstance(declaration, dict) else cls._of_text(name, declaration)
        if not _STORED_AS.fullmatch(column.stored_as):
            raise Problem(
                f'column {name!r} cannot be stored as {column.stored_as!r}: add "as" and a name of letters, digits and '
                "underscores that does not begin with a digit, at most 63 characters"
            )
        if column.stored_as in OF_EVERY_ROW:
            raise column.reserved("every row")
        return column

    @classmethod
    def _of_text(cls, name: str, declaration: Any) -> "Column":
        found = isinstance(declaration, str) and _DECLARATION.fullmatch(" ".join(declaration.split()))
        if not found:
            raise Problem(f"column {name!r}: {declaration!r} is not a type: {_HOW}")
        return cls(name, found[1], bool(found[2]), found[3] or name)

    @classmethod
    def _of_object(cls, name: str, declared: Mapping[str, Any]) -> "Column":
        type_, required = declared.get("type"), declared.get("required", False)
        stored_as, timezone = declared.get("as", name), declared.get("timezone", "")
        well_formed = isinstance(required, bool) and isinstance(stored_as, str) and isinstance(timezone, str)
        if not declared.keys() <= set(_KEYS) or type_ not in TYPES or not well_formed:
            raise Problem(f"column {name!r}: {json.dumps(declared, ensure_ascii=False)} is not a declaration: {_HOW}")
        try:
            formats = _formats(declared["format"]) if "format" in declared else ()
            if timezone:
                TIMEZONE.read("timezone", timezone)
            column = cls(name, type_, required, stored_as, formats, timezone)
            column.require_formats()
        except (BadFormat, InvalidSetting) as error:
            raise Problem(f"column {name!r}: {error}") from None
        return column

    def require_formats(self) -> None:
        """Raise BadFormat if the column has formats, or a time zone, that do not fit its type."""
        if self.formats and self.type not in ("date", "timestamp"):
            raise BadFormat(f"a format is for a date or a timestamp, not for {self.type}: remove it")
        if self.timezone and self.type != "timestamp":
            raise BadFormat(f"a timezone is for a timestamp, not for {self.type}: remove it")
        for format_ in map(DateFormat.compile, self.formats):
            if self.type == "date":
                require_of_date(format_)

    def reserved(self, by: str) -> Problem:
        """The problem that what has a column of this name already does not take another one."""
        return Problem(
            f'column {self.name!r} cannot be stored as {self.stored_as!r}, which {by} has already: add "as" and '
            "another name"
        )

    @property
    def declaration(self) -> str | dict[str, Any]:
        """What `parse` reads."""
        renamed = {} if self.stored_as == self.name else {"as": self.stored_as}
        if not self.formats and not self.timezone:
            return " ".join([self.type, *["required"] * self.required, *(f"as {each}" for each in renamed.values())])
        formats = {"format": self.formats[0] if len(self.formats) == 1 else list(self.formats)} if self.formats else {}
        timezone = {"timezone": self.timezone} if self.timezone else {}
        return {"type": self.type} | formats | timezone | ({"required": True} if self.required else {}) | renamed


def _formats(given: Any) -> tuple[str, ...]:
    try:
        return texts_of(given)
    except ValueError:
        raise BadFormat(f"format={given!r} is neither a format such as %d.%m.%Y nor a list of different ones") from None


def require_of_date(format_: DateFormat) -> None:
    """Raise BadFormat if a format is that of a timestamp."""
    if format_.has_time:
        raise BadFormat(f"{format_.text!r} has hours, and a date has none: declare a timestamp")


def parse_columns(text: str) -> tuple[Column, ...]:
    """The columns of a JSON object of declarations. Raises ValueError, and Problem, which says more."""
    try:
        declared = json.loads(text)
    except RecursionError as error:
        raise ValueError(text) from error
    if not isinstance(declared, dict):
        raise ValueError(text)  # noqa: TRY004  a value, of text that a person wrote
    text.encode()  # raises UnicodeEncodeError for half of a surrogate pair
    columns: dict[str, Column] = {}
    for column in (Column.parse(*each) for each in declared.items()):
        if other := columns.get(column.stored_as):
            raise Problem(
                f"columns {other.name!r} and {column.name!r} would both be stored as {column.stored_as!r}: "
                'add "as" and another name'
            )
        columns[column.stored_as] = column
    return tuple(columns.values())


def columns_to_json(columns: tuple[Column, ...]) -> str:
    """What `parse_columns` reads."""
    return declaration_to_json({column.name: column.declaration for column in columns})


def declaration_to_json(declared: Mapping[str, Any]) -> str:
    """The declaration of columns as the function's environment has it."""
    return json.dumps(declared, ensure_ascii=False, separators=(",", ":"))
