"""A proposed declaration fits every cell of the file that it was made from."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csv_ingest.csvfile import cells
from csv_ingest.feed import Feed
from csv_ingest.feed_rules import OF_POSTGRESQL
from csv_ingest.model import Column, FileFormat
from ops.proposing import NAME, TYPES, declarations

FORMAT = FileFormat("id", ",", "utf-8")
RESERVED = Feed().reserved_names

some_cells = st.lists(
    st.sampled_from(["", " ", "0", "1", "007", "-12", "+5", "5.50", "5,50", "true", "No", "2026-11-25", "x", "1e3"])
    | st.from_regex(cells._TIMESTAMP, fullmatch=True),
    max_size=4,
)


@pytest.mark.parametrize(
    ("column", "type_"),
    [
        (["true", "FALSE", ""], "boolean"),
        (["yes", "no"], "boolean"),
        (["0", "1"], "integer"),
        (["true", "0"], None),
        (["12", " -3 ", "0"], "integer"),
        (["007", "12"], None),
        (["-007"], None),
        (["+49301234"], None),
        (["12", "1.50"], "decimal"),
        (["0.5"], "decimal"),
        (["00.5"], None),
        (["1,5"], None),
        (["9223372036854775807", "-9223372036854775807"], "integer"),
        (["9223372036854775808"], "decimal"),
        (["9" * 39], None),
        (["2026-11-25"], "date"),
        (["2026-02-30"], None),
        (["2026-11-25T10:00:00Z"], "timestamp"),
        (["2026-11-25T10:00:00"], None),
        (["2026-11-25", "2026-11-25T10:00:00Z"], None),
        (["", " "], None),
        ([], None),
        (["a"], None),
    ],
)
def test_the_narrowest_type_that_fits_is_proposed(column: list[str], type_: str | None) -> None:
    found = declarations(["x"], [[cell] for cell in column], FORMAT, reserved=RESERVED)
    assert found == ({} if type_ is None else {"x": type_})


def test_decimal_commas_are_those_of_the_feed() -> None:
    assert declarations(["x"], [["1,5"]], FileFormat("id", ",", "utf-8", ","), reserved=RESERVED) == {"x": "decimal"}


def test_the_id_stays_text() -> None:
    assert declarations(["id", "x"], [["1", "1"]], FORMAT, reserved=RESERVED) == {"x": "integer"}


def test_names_in_the_destination_are_possible_and_different() -> None:
    names = ["line", "Größe (cm)", "Grosse cm", "Grosse_cm", "2026", "日本", "x" * 80]
    assert declarations(names, [["1"] * len(names)], FORMAT, reserved=RESERVED) == {
        "line": "integer as line_2",
        "Größe (cm)": "integer as Groe_cm",
        "Grosse cm": "integer as Grosse_cm",
        "Grosse_cm": "integer as Grosse_cm_2",
        "2026": "integer as _2026",
        "日本": "integer as column",
        "x" * 80: f"integer as {'x' * 50}",
    }


def test_names_of_the_destination_itself_are_not_proposed() -> None:
    names = ["nr", "id", "xmin"]
    assert declarations(names, [["1"] * 3], FileFormat("nr", ",", "utf-8"), reserved=OF_POSTGRESQL) == {
        "id": "integer as id_2",
        "xmin": "integer as xmin_2",
    }


@given(st.lists(st.text(min_size=1), unique=True, max_size=4), st.lists(some_cells, max_size=4))
def test_every_cell_fits_what_is_proposed(names: list[str], columns: list[list[str]]) -> None:
    records = [
        [column[row] if row < len(column) else "" for column in (columns + [[]] * 4)[: len(names)]] for row in range(4)
    ]
    proposed = declarations(names, records, FORMAT, reserved=RESERVED)
    assert json.loads(json.dumps(proposed)) == proposed
    parsed = [Column.parse(*each) for each in proposed.items()]
    stored_as = [column.stored_as for column in parsed]
    assert len({*stored_as, *RESERVED}) == len(stored_as) + len(RESERVED)
    for column in parsed:
        assert column.type in TYPES
        assert NAME.fullmatch(column.stored_as)
        for record in records:
            if cell := record[names.index(column.name)].strip(" "):
                cells.converter(column.type, FORMAT)(cell)
