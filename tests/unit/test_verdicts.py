"""The policy of duplicate ids: the newest upload wins, and of one upload the first line of the file."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csv_ingest.model import RejectedRow, Row, RowKey, StoredRow
from csv_ingest.modes import APPEND, MERGE, Verdict


def data(**cells: str) -> str:
    return json.dumps(cells, separators=(",", ":"))


SAME, OTHER = data(id="7", name="a"), data(id="7", name="b")
DUPLICATE = RejectedRow(6, "duplicate id: line 4 has it with different values")


def row(line: int = 6) -> Row:
    return Row(line, "7", SAME)


def stored(line: int, data: str) -> StoredRow:
    return StoredRow(RowKey("e1", "7"), "e1", line, data)


@pytest.mark.parametrize(
    ("line", "values", "ordered", "unordered", "checked"),
    [
        # What is stored is this line.
        (6, SAME, Verdict.SAME, Verdict.SAME, Verdict.SAME),
        (6, OTHER, Verdict.ALTERED, Verdict.ALTERED, Verdict.ALTERED),
        # A lower line is stored.
        (4, SAME, Verdict.SAME, Verdict.UNDECIDED, Verdict.SAME),
        (4, OTHER, DUPLICATE, Verdict.UNDECIDED, DUPLICATE),
        # A higher line is stored: parts were stored in another order. When all are stored, it cannot be there any more.
        (9, SAME, Verdict.REPLACE, Verdict.REPLACE, Verdict.ALTERED),
        (9, OTHER, Verdict.REPLACE, Verdict.REPLACE, Verdict.ALTERED),
    ],
)
def test_the_first_line_of_an_id_wins(
    line: int,
    values: str,
    ordered: Verdict | RejectedRow,
    unordered: Verdict | RejectedRow,
    checked: Verdict | RejectedRow,
) -> None:
    for mode in (APPEND, MERGE):
        assert mode.resolve(row(), "e1", stored(line, values), earlier_lines_stored=True) == ordered
        assert mode.resolve(row(), "e1", stored(line, values), earlier_lines_stored=False) == unordered
        assert mode.compare(row(), "e1", stored(line, values)) == checked


@pytest.mark.parametrize("line", [4, 6, 9])
@pytest.mark.parametrize("is_ordered", [True, False])
def test_the_row_of_the_newer_upload_wins(line: int, is_ordered: bool) -> None:
    assert MERGE.resolve(row(), "e0", stored(line, SAME), earlier_lines_stored=is_ordered) is Verdict.SUPERSEDED
    assert MERGE.compare(row(), "e0", stored(line, SAME)) is Verdict.SUPERSEDED
    assert MERGE.resolve(row(), "e2", stored(line, SAME), earlier_lines_stored=is_ordered) is Verdict.NEWER
    assert MERGE.compare(row(), "e2", stored(line, SAME)) is Verdict.ALTERED, "this upload had stored its rows"


@given(st.permutations([(line, name) for line, name in enumerate("aabbca", start=2)]))
def test_any_order_ends_with_the_first_line(order: list[tuple[int, str]]) -> None:
    rows = [Row(line, "7", data(id="7", name=name)) for line, name in order]
    first, *others = rows
    kept = stored(first.line, first.data)
    for each in others:
        if APPEND.resolve(each, "e1", kept, earlier_lines_stored=False) is Verdict.REPLACE:
            kept = stored(each.line, each.data)
    assert (kept.line, kept.data) == (2, data(id="7", name="a"))
    rejected = {each.line for each in rows if isinstance(APPEND.compare(each, "e1", kept), RejectedRow)}
    assert rejected == {4, 5, 6}
