"""How a file is read: a value that a feed has, and the ledger's record of each file."""

import json
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from csv_ingest.model import format_rules, format_types
from csv_ingest.model.column import Column, columns_to_json, declaration_to_json, parse_columns
from csv_ingest.model.format_types import LINE_AS_ID
from csv_ingest.settings import (
    TRUE_OR_FALSE,
    InvalidSetting,
    SettingType,
    given,
    read_settings,
    require_known,
    setting,
    settings_of,
    whole_number,
)

RULES = 2
"""The version of reading, recorded with each file. Version 1 knows no made-up names and no `sep=`; a record of empty
cells, one that repeats the header, and a last line of Ctrl-Z are rows of it like all others."""

COLUMNS = SettingType(
    'an object such as {"price": "decimal"}, on the command line as JSON',
    parse_columns,
    to_text=columns_to_json,
    from_json={dict: declaration_to_json},
)

if TYPE_CHECKING:

    class _Columns:
        """What may be given, and what is then there, for the type checkers of apps with the construct."""

        def __get__(self, instance: object, owner: type) -> tuple[Column, ...]: ...

        def __set__(self, instance: object, value: Mapping[str, str] | tuple[Column, ...]) -> None: ...

else:
    _Columns = tuple


@dataclass(frozen=True)
class FileFormat:
    """How a file is read. Takes what cdk.json can have for each setting; raises InvalidSetting, a ValueError."""

    id_column: str | tuple[str, ...] = setting(
        "id",
        format_types.ID_COLUMN,
        "The column that identifies a row within its file; with `merge`, in the whole feed. A list: their cells "
        "together do, [joined](files.md#an-id-of-several-columns). `@line`: the line number does.",
    )
    delimiter: str = setting(",", format_types.DELIMITER, "What separates the fields.")
    encoding: str = setting("utf-8", format_types.ENCODING, "How files are encoded.")
    decimal_separator: str = setting(
        ".",
        format_types.DECIMAL_SEPARATOR,
        "What separates the whole part of a decimal from its fraction, in declared columns.",
    )
    columns: _Columns = setting(  # noqa: RUF009  a field
        (),
        COLUMNS,
        "The [columns that are stored with a type](feeds.md#columns). All others are stored as text.",
    )
    header: str = setting(
        "",
        format_types.HEADER,
        "Where the header is: the first record; a line, above which nothing is read; the first record that has the id "
        "and every declared column (`search`); nowhere (`none`), and `header_names` has the names.",
    )
    header_names: tuple[str, ...] = setting((), format_types.NAMES, "The names of the columns, with `header=none`.")
    header_match: str = setting(
        "exact",
        format_types.HEADER_MATCH,
        "`loose`: case, Unicode form and spaces around names make no difference. `data` keeps the names of the file.",
    )
    footer_records: int = setting(
        0, whole_number(0, format_types.MAX_FOOTERS), "How many records at the end of a file are no rows."
    )
    known_columns: tuple[str, ...] = setting(
        (),
        format_types.NAMES,
        "Which columns a file may have beside the id and the declared ones. A file with another one is `REJECTED`. "
        "Without it, any.",
    )
    null_values: tuple[str, ...] = setting(
        (),
        format_types.TEXTS,
        "What stands for an empty cell in declared columns, such as `NULL`. Upper and lower case differ.",
    )
    date_format: tuple[str, ...] = setting(
        (), format_types.FORMATS, "How dates are written in declared columns. Without it, in ISO 8601."
    )
    timestamp_format: tuple[str, ...] = setting(
        (),
        format_types.FORMATS,
        "How timestamps are written in declared columns; also `unix`, `unix_ms`. Without it, in ISO 8601.",
    )
    timezone: str = setting(
        "", format_types.TIMEZONE, "The zone of timestamps that say none. Without it, their rows are rejected."
    )
    grouping_separator: str = setting(
        "", format_types.GROUPING_SEPARATOR, "What separates groups of three digits in numbers, in declared columns."
    )
    number_style: str = setting(
        "plain",
        format_types.NUMBER_STYLE,
        "`accounting`: a negative number may also be `12.50-`, `(12.50)`, or have the sign U+2212.",
    )
    affixes: tuple[str, ...] = setting(
        (), format_types.AFFIXES, "What may stand before or after a number, such as a currency or `%`, and is ignored."
    )
    true_values: tuple[str, ...] = setting(
        (), format_types.TEXTS, "What is true, instead of true, yes and 1. Case is ignored."
    )
    false_values: tuple[str, ...] = setting(
        (), format_types.TEXTS, "What is false, instead of false, no and 0. Case is ignored."
    )
    quote: str = setting('"', format_types.CHARACTER, "What cells with delimiters or line ends are enclosed in.")
    escape: str = setting(
        "",
        format_types.CHARACTER,
        "What makes an ordinary character of the quote, the delimiter, a line end or itself. [Costs "
        "time](files.md#quotes-and-escapes).",
    )
    trim: bool = setting(
        False,  # noqa: FBT003 - it is the value
        TRUE_OR_FALSE,
        "Whether spaces around cells and ids are left out.",
    )
    short_rows: str = setting(
        "reject",
        format_types.SHORT_ROWS,
        "`fill`: cells that are missing at the end of a record are empty.",
    )
    rules: int = RULES
    """As RULES. No setting: a file is read by the rules by which it was read first."""

    def __post_init__(self) -> None:
        declared = self.columns
        if isinstance(declared, tuple):  # of another FileFormat
            object.__setattr__(self, "columns", {column.name: column.declaration for column in declared} or ())
        read_settings(self)
        for problem in format_rules.problems(self):
            raise problem

    @property
    def id_columns(self) -> tuple[str, ...]:
        """The names of the columns that identify a row; none if its line does."""
        if self.id_column == LINE_AS_ID:
            return ()
        return (self.id_column,) if isinstance(self.id_column, str) else self.id_column

    @property
    def needed_columns(self) -> tuple[str, ...]:
        """The names that each header has to have: those of the id, and of the declared columns."""
        return (*self.id_columns, *(column.name for column in self.columns))

    @property
    def header_line(self) -> int:
        """The line of the header if the settings say it, otherwise 0."""
        return int(self.header) if self.header.isdigit() else 0

    @property
    def is_headed_silently(self) -> bool:
        """Whether the first record of any file is taken for its header, though no setting says that files have one."""
        return not (self.id_columns or self.columns or self.known_columns or self.header)

    def delimited_by(self, delimiter: str) -> "FileFormat":
        """The same format with another delimiter, which a file says itself."""
        format_ = copy(self)
        object.__setattr__(format_, "delimiter", delimiter)
        return format_

    def written(self, name: str) -> str:
        """The value of a setting as a person writes it after `-c name=`."""
        type_: SettingType = settings_of(type(self))[name].metadata["type"]
        return type_.to_text(getattr(self, name))

    def to_json(self) -> dict[str, Any]:
        """The settings, as an object of JSON. Any release can read them that knows those that are given."""
        of_every_release = {name: getattr(self, name) for name in ("id_column", "delimiter", "encoding")}
        declared = {column.name: column.declaration for column in self.columns}
        values = {name: value for name, value in given(self).items() if name != "rules"}
        return of_every_release | values | ({"columns": declared} if declared else {})

    def to_text(self) -> str:
        """What `from_text` reads: the settings, and the version of reading."""
        return json.dumps(self.to_json() | ({"rules": self.rules} if self.rules > 1 else {}))

    @classmethod
    @lru_cache(maxsize=1_000)  # the records of the files of a feed have the same one
    def from_text(cls, text: str) -> "FileFormat":
        """The format of a text that `to_text` wrote, or of the list that the first releases did.

        It is not held to the rules for settings: a file stays readable that was recorded under laxer ones. Raises
        InvalidSetting for settings, or rules, of a later release.
        """
        recorded = json.loads(text)
        settings = settings_of(cls)
        values = dict(zip(settings, recorded, strict=False)) if isinstance(recorded, list) else recorded
        rules = values.pop("rules", 1)
        require_known(values, settings)
        if rules > RULES:
            raise InvalidSetting(["rules"], f"={rules}: unknown to this release")
        values["columns"] = tuple(Column.parse(*each) for each in values.get("columns", {}).items())
        format_ = object.__new__(cls)
        for name, each in settings.items():
            value = values.get(name, each.default)
            object.__setattr__(format_, name, tuple(value) if isinstance(value, list) else value)
        object.__setattr__(format_, "rules", rules)
        return format_
