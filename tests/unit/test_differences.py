"""What a row of the table has otherwise than the row of its file."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csv_ingest.model import ForeignItem, Origin, Row, RowKey, StoredRow, Value
from ops.commands.audited import difference_as_text
from ops.differences import differences
from ops.expectations import digest
from ops.findings import Difference

ORIGIN = Origin("e1")
FILE = {"id": "7", "name": "é", "more": ""}


def stored(data: str, line: int = 2, etag: str | None = "e1", **values: Value | None) -> StoredRow:
    return StoredRow(RowKey("e1", "7"), etag, line, data, values)


def found(data: str, **values: Value | None) -> list[Difference]:
    return differences(Row(2, "7", json.dumps(FILE), values), ORIGIN, stored(data))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (json.dumps(FILE), []),
        (json.dumps(FILE | {"name": "e", "added": "x"}), [("data.name", "e", "é"), ("data.added", "x", None)]),
        ('{"name": "\\u00e9"}', [("data.id", None, "7"), ("data.more", None, "")]),
        (json.dumps(FILE | {"id": 7, "name": None}), [("data.id", 7, "7"), ("data.name", None, "é")]),
        (json.dumps(FILE | {"id": True, "more": [1]}), [("data.id", True, "7"), ("data.more", "[1]", "")]),
        (json.dumps(dict(reversed(FILE.items()))), [("data", json.dumps(dict(reversed(FILE.items()))), ...)]),
        ("[]", [("data", "[]", ...)]),
        ("", [("data", "", ...)]),
        ("[" * 100_000, [("data", "[" * 100_000, ...)]),
        ("9" * 5_000, [("data", "9" * 5_000, ...)]),
    ],
)
def test_data_is_compared_by_its_columns(data: str, expected: list[Any]) -> None:
    text = json.dumps(FILE)
    assert found(data) == [(name, table, text if file is ... else file) for name, table, file in expected]


cells = st.sampled_from([None, "", "1", "true", "x" * 50, True, False, *map(Decimal, ("1", "1.0", "1.01", "1E+40"))])
texts = st.sampled_from(['{"a":"1"}', '{"a": "1"}', '{"a":1}', '{"a":"1","b":null}', '{"b":"2","a":"1"}', "null", "x"])


@given(st.tuples(texts, cells, cells), st.tuples(texts, cells, cells), st.sampled_from([2, 3]))
def test_a_row_that_differs_says_in_what(table: Any, file: Any, line: int) -> None:
    """Whatever the audit finds different has a difference, and nothing else has one."""
    (data, *values), (wanted, *cells_) = table, file
    row = Row(2, "7", wanted, dict(zip("pq", cells_, strict=True)))
    there = stored(data, line, **dict(zip("pq", values, strict=True)))
    is_same = (there.line, digest(there, row.values)) == (row.line, digest(row, row.values))
    assert (differences(row, ORIGIN, there) == []) == is_same


def test_an_item_that_is_no_row_is_called_so() -> None:
    [difference] = differences(Row(2, "7", "{}"), ORIGIN, ForeignItem(RowKey("e1", "7")))
    assert difference_as_text(difference, values=True) == 'item: "no row" in the table, "a row" in the file'


@pytest.mark.parametrize(
    ("table", "file", "shown"),
    [
        (None, Decimal("5.50"), "nothing in the table, 5.50 in the file"),
        (True, "true", 'true in the table, "true" in the file'),
        ("x" * 40, "x" * 39, f'"{"x" * 40}" in the table, "{"x" * 39}" in the file'),
        ("y" + "x" * 40, "x", f'"y{"x" * 39}"… in the table, "x" in the file'),
        ("x" * 50 + "a" * 50, "x" * 50, f'…"{"x" * 10}{"a" * 30}"… in the table, …"{"x" * 10}" in the file'),
        (Decimal("1E+50"), Decimal(0), f"1{'0' * 39}… in the table, 0 in the file"),
        ('"…\n', "", r'"\"…\n" in the table, "" in the file'),
    ],
)
def test_values_are_cut_where_they_differ(table: Value | None, file: Value | None, shown: str) -> None:
    assert difference_as_text(Difference("c", table, file), values=True) == f"c: {shown}"
