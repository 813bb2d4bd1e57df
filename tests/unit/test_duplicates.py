"""The policy of duplicate ids: the first line of the file wins, and rows of another reading are never moved."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csv_ingest.destinations.duplicates import STORED_DIFFERENTLY, Verdict, compare, resolve
from csv_ingest.model import LINE_AS_ID, RejectedRow, Row, RowKey, StoredRow


def data(**cells: str) -> str:
    return json.dumps(cells, separators=(",", ":"))


SAME, OTHER = data(id="7", name="a"), data(id="7", name="b")
OTHER_COLUMNS, OTHER_ORDER = data(id="7", price="1"), '{"name":"a","id":"7"}'
OTHER_ID = data(id="8", name="a")
DUPLICATE = RejectedRow(6, "duplicate id: line 4 has it with different values")
CHANGED = RejectedRow(6, STORED_DIFFERENTLY)


def row(line: int = 6) -> Row:
    return Row(line, "7", SAME)


def stored(line: int, data: str) -> StoredRow:
    return StoredRow(RowKey("e1", "7"), "e1", line, data)


@pytest.mark.parametrize(
    ("line", "values", "ordered", "unordered"),
    [
        # What is stored is this line.
        (6, SAME, Verdict.SAME, Verdict.SAME),
        (6, OTHER, CHANGED, CHANGED),
        (6, OTHER_COLUMNS, CHANGED, CHANGED),
        # A lower line is stored.
        (4, SAME, Verdict.SAME, Verdict.UNDECIDED),
        (4, OTHER, DUPLICATE, Verdict.UNDECIDED),
        (4, OTHER_COLUMNS, DUPLICATE, Verdict.UNDECIDED),
        # A higher line of this reading is stored: parts were stored in another order.
        (9, SAME, Verdict.REPLACE, Verdict.REPLACE),
        (9, OTHER, Verdict.REPLACE, Verdict.REPLACE),
        # A higher line of another reading is stored, and stays.
        (9, OTHER_COLUMNS, CHANGED, Verdict.UNDECIDED),
        (9, OTHER_ORDER, CHANGED, Verdict.UNDECIDED),
        (9, OTHER_ID, CHANGED, Verdict.UNDECIDED),
    ],
)
def test_the_first_line_of_one_reading_wins(
    line: int,
    values: str,
    ordered: Verdict | RejectedRow,
    unordered: Verdict | RejectedRow,
) -> None:
    assert resolve(row(), stored(line, values), "id", earlier_lines_stored=True) == ordered
    assert resolve(row(), stored(line, values), "id", earlier_lines_stored=False) == unordered


@pytest.mark.parametrize(
    ("line", "values", "verdict"),
    [(4, SAME, Verdict.SAME), (4, OTHER, DUPLICATE), (6, OTHER, CHANGED), (9, SAME, Verdict.SAME), (9, OTHER, CHANGED)],
)
def test_the_check_rejects_what_lost(line: int, values: str, verdict: Verdict | RejectedRow) -> None:
    assert compare(row(), stored(line, values)) == verdict


@pytest.mark.parametrize("ordered", [True, False])
def test_rows_keyed_by_line_are_never_replaced(ordered: bool) -> None:
    verdict = resolve(row(), stored(9, OTHER), LINE_AS_ID, earlier_lines_stored=ordered)
    assert verdict == (CHANGED if ordered else Verdict.UNDECIDED)


@given(st.permutations([(line, name) for line, name in enumerate("aabbca", start=2)]))
def test_any_order_ends_with_the_first_line(order: list[tuple[int, str]]) -> None:
    rows = [Row(line, "7", data(id="7", name=name)) for line, name in order]
    (line, _, values), *others = rows
    kept = stored(line, values)
    for each in others:
        if resolve(each, kept, "id", earlier_lines_stored=False) is Verdict.REPLACE:
            kept = stored(each.line, each.data)
    assert (kept.line, kept.data) == (2, data(id="7", name="a"))
    rejected = {each.line for each in rows if isinstance(compare(each, kept), RejectedRow)}
    assert rejected == {4, 5, 6}
