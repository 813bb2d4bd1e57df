"""How a file is read: a value that a feed has, and the ledger's record of each file."""

import codecs
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from csv_ingest.settings import (
    Problem,
    SettingType,
    given,
    matching,
    read_settings,
    require_known,
    setting,
    settings_of,
)

LINE_AS_ID = "@line"
"""The id column's name for files without one: the number of the record's first line is the id."""

TYPES = ("text", "integer", "decimal", "boolean", "date", "timestamp")

OF_EVERY_ROW = ("pk", "etag", "line", "data")
"""What every row has in its destination, by the names that it has there."""

MAX_COLUMNS_BYTES = 3_000
"""Of the declaration of columns as JSON: the rest of Lambda's 4 KB is for the other variables of the function."""

_DECLARATION = re.compile(rf"({'|'.join(TYPES)})( required)?(?: as (\S+))?")
_STORED_AS = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


class Column(NamedTuple):
    """A declared column: its cells have a type, and the destination has them beside `data`."""

    name: str
    """In the header of the file."""
    type: str
    """One of TYPES; `csvfile.cells` has what they accept."""
    required: bool
    """Whether an empty cell rejects the row."""
    stored_as: str
    """Its name in the destination."""

    @classmethod
    def parse(cls, name: str, declaration: Any) -> "Column":
        """The column that is declared as `TYPE`, `TYPE required`, `TYPE as NAME` or `TYPE required as NAME`.

        Raises Problem, which names the column and says what to do.
        """
        if not name:
            raise Problem(f"column '' ({declaration!r}) has an empty name: write its name in the file's header")
        found = isinstance(declaration, str) and _DECLARATION.fullmatch(" ".join(declaration.split()))
        if not found:
            raise Problem(
                f"column {name!r}: {declaration!r} is not a type: write one of {', '.join(TYPES)}, then optionally "
                '"required", then optionally "as" and another name'
            )
        stored_as = found[3] or name
        if not _STORED_AS.fullmatch(stored_as):
            raise Problem(
                f'column {name!r} cannot be stored as {stored_as!r}: add "as" and a name of letters, digits and '
                "underscores that does not begin with a digit, at most 63 characters"
            )
        column = cls(name, found[1], bool(found[2]), stored_as)
        if stored_as in OF_EVERY_ROW:
            raise column.reserved("every row")
        return column

    def reserved(self, by: str) -> Problem:
        """The problem that what has a column of this name already does not take another one."""
        return Problem(
            f'column {self.name!r} cannot be stored as {self.stored_as!r}, which {by} has already: add "as" and '
            "another name"
        )

    @property
    def declaration(self) -> str:
        """The text that `parse` reads."""
        renamed = "" if self.stored_as == self.name else f" as {self.stored_as}"
        return f"{self.type}{' required' if self.required else ''}{renamed}"


def _parse_columns(text: str) -> tuple[Column, ...]:
    declared = json.loads(text)
    if not isinstance(declared, dict):
        raise ValueError(text)  # noqa: TRY004  a value, of text that a person wrote
    columns: dict[str, Column] = {}
    for column in (Column.parse(*each) for each in declared.items()):
        if other := columns.get(column.stored_as):
            raise Problem(
                f"columns {other.name!r} and {column.name!r} would both be stored as {column.stored_as!r}: "
                'add "as" and another name'
            )
        columns[column.stored_as] = column
    found = tuple(columns.values())
    if (size := len(_columns_to_text(found).encode())) > MAX_COLUMNS_BYTES:
        raise Problem(
            f"{len(found)} columns from {found[0].name!r} on have {size:,} bytes of JSON, and {MAX_COLUMNS_BYTES:,} "
            "are allowed: declare fewer columns; the others are stored as text"
        )
    return found


def _columns_to_text(columns: tuple[Column, ...]) -> str:
    return declaration_to_json({column.name: column.declaration for column in columns})


def declaration_to_json(declared: Mapping[str, Any]) -> str:
    """The declaration of columns as the function's environment has it: its bytes count for MAX_COLUMNS_BYTES."""
    return json.dumps(declared, ensure_ascii=False, separators=(",", ":"))


# Python has more codecs: some are not for text, others decode to characters that DynamoDB refuses.
_TEXT_ENCODINGS = re.compile(
    r"utf-8|utf-16|ascii|iso8859-\d+|cp\d+|koi8-[ru]|mac-roman|big5|gb2312|gbk|gb18030|shift_jis|euc_jp|euc_kr"
)


def _parse_encoding(text: str) -> str:
    name = codecs.lookup(text).name
    if not _TEXT_ENCODINGS.fullmatch(name):
        raise ValueError(text)
    return name


DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
"""The delimiters that files usually have, by what the setting calls them."""


def _parse_delimiter(text: str) -> str:
    character = DELIMITERS.get(text, text)
    if len(character) != 1 or character in '"\r\n\0 ' or not character.isascii():
        raise ValueError(text)
    return character


_SEPARATORS = {"point": ".", "comma": ","}

ID_COLUMN = matching(r"@line|[^@].{0,254}", "a column name, or @line")
DELIMITER = SettingType(
    "comma, semicolon, tab, pipe, or one ASCII character other than a space or a quote", _parse_delimiter
)
ENCODING = SettingType("an encoding of text files that Python knows, such as utf-8 or cp1252", _parse_encoding)
DECIMAL_SEPARATOR = SettingType(
    "point, or comma",
    lambda text: text if text in _SEPARATORS.values() else _SEPARATORS[text],
    to_text={character: word for word, character in _SEPARATORS.items()}.__getitem__,
)
COLUMNS = SettingType(
    'an object such as {"price": "decimal"}, on the command line as JSON',
    _parse_columns,
    to_text=_columns_to_text,
    from_json={dict: declaration_to_json},
)


@dataclass(frozen=True)
class FileFormat:
    """How a file is read. Takes what cdk.json can have for each setting; raises InvalidSetting, a ValueError."""

    id_column: str = setting(
        "id",
        ID_COLUMN,
        "The column that identifies a row within its file; with `merge`, in the whole feed. `@line`: the line number "
        "does.",
    )
    delimiter: str = setting(",", DELIMITER, "What separates the fields.")
    encoding: str = setting("utf-8", ENCODING, "How files are encoded.")
    decimal_separator: str = setting(
        ".", DECIMAL_SEPARATOR, "What separates the whole part of a decimal from its fraction, in declared columns."
    )
    columns: tuple[Column, ...] = setting(
        (),
        COLUMNS,
        "The columns that are stored with a type, [see below](#columns). All others are stored as text.",
    )

    def __post_init__(self) -> None:
        declared = self.columns
        if isinstance(declared, tuple):  # of another FileFormat
            object.__setattr__(self, "columns", {column.name: column.declaration for column in declared} or ())
        read_settings(self)

    def to_json(self) -> dict[str, Any]:
        """An object that `from_json` reads. Any release can read it that knows the settings that are given."""
        of_every_release = {name: getattr(self, name) for name in ("id_column", "delimiter", "encoding")}
        declared = {column.name: column.declaration for column in self.columns}
        return of_every_release | given(self) | ({"columns": declared} if declared else {})

    @classmethod
    @lru_cache(maxsize=1_000)  # the records of the files of a feed have the same one
    def from_text(cls, text: str) -> "FileFormat":
        """The format of a JSON object that `to_json` wrote, or of the list that the first releases did.

        It is not held to the rules for settings: a file stays readable that was recorded under laxer ones. Raises
        InvalidSetting for settings of a later release.
        """
        recorded = json.loads(text)
        settings = settings_of(cls)
        values = dict(zip(settings, recorded, strict=False)) if isinstance(recorded, list) else recorded
        require_known(values, settings)
        values["columns"] = tuple(Column.parse(*each) for each in values.get("columns", {}).items())
        format_ = object.__new__(cls)
        for name, each in settings.items():
            object.__setattr__(format_, name, values.get(name, each.default))
        return format_
