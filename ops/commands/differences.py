"""How the differences of a row are shown: by `audit`."""

from os.path import commonprefix

from csv_ingest.model import Value
from ops.commands import stored
from ops.findings import Difference

LONGEST = 40  # characters of a value
BEFORE = 10  # of them, before the first that differs


def as_text(difference: Difference, *, values: bool) -> str:
    """A difference in one line, with values that are cut so that the first character that differs is seen."""
    if not values:
        return f"{difference.column} differs"
    table, file = _cut(difference.table, difference.file)
    return f"{difference.column}: {table} in the table, {file} in the file"


def as_json(difference: Difference, *, values: bool) -> dict[str, str | bool | None]:
    """A difference for scripts, with whole values; as in other commands, numbers are texts."""
    table, file = (difference.table, difference.file) if values else (None, None)
    return {"column": difference.column, "table": stored.value_as_json(table), "file": stored.value_as_json(file)}


def _cut(table: Value | None, file: Value | None) -> tuple[str, str]:
    texts = [_plain(table), _plain(file)]
    same = len(commonprefix(texts))  # noqa: RUF071 - of characters
    begin = same - BEFORE if max(map(len, texts)) > LONGEST and same > LONGEST - BEFORE else 0
    return _from(begin, table), _from(begin, file)


def _from(begin: int, value: Value | None) -> str:
    """A part of a value; an ellipsis, outside of the quotes of a text, stands for what is left out."""
    if value is None:
        return "nothing"
    text, end = _plain(value), begin + LONGEST
    part = stored.quoted(text[begin:end]) if isinstance(value, str) else text[begin:end]
    return f"{'…' if begin else ''}{part}{'…' if end < len(text) else ''}"


def _plain(value: Value | None) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else stored.value_as_text(value)
