"""Cells of declared columns: stored with exactly their value, or the reason why their row is rejected."""

import io
import json
import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csv_ingest.csvfile import read_header, read_rows
from csv_ingest.model import (
    TYPES,
    Column,
    DateFormat,
    FileFormat,
    NoSuchMoment,
    RejectedRow,
    Row,
    UnreadableFile,
    Value,
)
from local.processes import PROJECT

REJECTED = "–"  # noqa: RUF001 - as in the documentation


TYPED = FileFormat(
    "no",
    ";",
    "cp1252",
    ",",
    (Column.parse("Stück", "integer as quantity"), Column.parse("Preis", "decimal required as price")),
)

SPELLINGS = {
    "an integer": "write it as 1234",
    "a decimal": "write it as 1234.5",
    "a boolean": "write it as true, false, yes, no, 1 or 0",
    "a date": "write it as 2026-11-28",
    "a timestamp": "write it as 2026-11-28T09:30:00+01:00",
}

REASONS = [
    f"column price: not {kind}: {why}"
    for kind, spelling in SPELLINGS.items()
    for why in (
        spelling,
        spelling.replace(".", ","),
        "it has a comma, and decimal_separator is point",
        "it has a point, and decimal_separator is comma",
        "more than 250 characters",
        "more than 38 digits",
        "no time zone",
        "not within the years 1 to 9999 in UTC",
        "there is no such day or time",
    )
]
"""None of them quotes a cell."""


def read(text: str, format_: FileFormat = TYPED) -> list[Row | RejectedRow]:
    return list(read_rows(io.BytesIO(text.encode(format_.encoding)), format_))


def read_cell(cell: str, type_: str, *, separator: str = ".", required: bool = False) -> Value | RejectedRow | None:
    """The value of a cell, or the rejected row."""
    column = Column("price", type_, required, "price")
    format_ = FileFormat("@line", ",", "utf-8", separator, (column,))
    [row] = read('price,z\n"' + cell.replace('"', '""') + '",.\n', format_)
    if isinstance(row, RejectedRow):
        return row
    assert row.data == '{"z":"."}'
    return row.values["price"]


def documented() -> list[tuple[str, str, str]]:
    """Each cell of a table of docs/files.md, with the heading of a column and what is written there."""
    section = (PROJECT / "docs/files.md").read_text().partition("\n## Types")[2].partition("\n#")[0]
    cases = []
    headings: list[str] = []
    for line in section.splitlines():
        if line.startswith("| cell |"):
            headings = [each.strip().replace("`", "") for each in line.strip("|").split("|")]
        elif line.startswith("| `"):
            cell, *expected = [each.strip() for each in line.strip("|").split("|")]
            cases += [(cell.strip("`"), *pair) for pair in zip(headings[1:], expected, strict=True)]
    return cases


def test_the_documentation_has_every_type_but_text() -> None:
    assert {heading.partition(",")[0] for _, heading, _ in documented()} == {*TYPES} - {"text"}


def examples() -> list[tuple[str, str, str, str]]:
    """A type, some settings, a cell, and what it means, from the other tables of that page."""
    cases = []
    for line in (PROJECT / "docs/files.md").read_text().splitlines():
        if found := re.fullmatch(r"\| `(\w+)`, `(\w+=[^`]*)` \| (.*) \| (.*) \|", line):
            type_, settings, read, rejected = found.groups()
            cases += [
                (type_, settings, cell, value or "empty")
                for cell, value in re.findall(r"`([^`]*)` → (?:`([^`]*)`|empty)", read)
            ]
            cases += [(type_, settings, cell, REJECTED) for cell in re.findall(r"`([^`]*)`", rejected)]
    return cases


def test_the_documentation_has_examples_of_every_type() -> None:
    assert {type_ for type_, *_ in examples()} == {*TYPES}
    assert {expected == REJECTED for *_, expected in examples()} == {True, False}


@pytest.mark.parametrize(("type_", "written", "cell", "expected"), examples())
def test_an_example_means_what_the_documentation_says(type_: str, written: str, cell: str, expected: str) -> None:
    found = re.findall(r"(\w+)=(\[.*?\]|.*?)(?= \w+=|$)", written)
    settings = {name: json.loads(value) if value.startswith("[") else value for name, value in found}
    format_ = FileFormat("@line", columns={"price": type_}, **settings)
    [row] = read('price,z\n"' + cell + '",.\n', format_)
    if expected == REJECTED:
        assert isinstance(row, RejectedRow)
        assert row.reason.startswith(f"column price: not a{'n' * (type_ == 'integer')} {type_}: ")
        return
    assert isinstance(row, Row)
    value = row.values["price"]
    if type_ in ("integer", "decimal") and expected != "empty":
        assert value == Decimal(expected)
    else:
        assert value == {"empty": None, "true": True, "false": False}.get(expected, expected)


@pytest.mark.parametrize("space", [" ", "\u00a0", "\u202f", "\u2009"])
def test_groups_are_separated_by_any_documented_space(space: str) -> None:
    format_ = FileFormat("@line", columns={"price": "integer"}, grouping_separator="space")
    [row] = read(f"price,z\n1{space}234,.\n", format_)
    assert isinstance(row, Row)
    assert row.values["price"] == Decimal(1234)


@pytest.mark.parametrize(("cell", "heading", "expected"), documented())
def test_a_spelling_means_what_the_documentation_says(cell: str, heading: str, expected: str) -> None:
    type_, _, comma = heading.partition(",")
    found = read_cell(cell, type_, separator="," if comma else ".")
    if expected == REJECTED:
        assert isinstance(found, RejectedRow)
        assert found.reason in REASONS
        assert f" {type_}" in found.reason
    elif type_ in ("integer", "decimal"):
        assert isinstance(found, Decimal)
        assert found == Decimal(expected)
    else:
        assert found == {"true": True, "false": False}.get(expected, expected)


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("cell", ["", "  "])
def test_an_empty_cell_is_no_value(type_: str, cell: str) -> None:
    if type_ == "text" and cell:
        assert read_cell(cell, type_) == cell
    else:
        assert read_cell(cell, type_) is None
        assert read_cell(cell, type_, required=True) == RejectedRow(2, "column price: empty, but required")


@pytest.mark.parametrize(
    ("cell", "type_", "reason"),
    [
        ("9" * 39, "integer", "column price: not an integer: more than 38 digits"),
        ("0." + "1" * 39, "decimal", "column price: not a decimal: more than 38 digits"),
        ("2026-02-28T10:30:00", "timestamp", "column price: not a timestamp: no time zone"),
        ("2026-02-30", "date", "column price: not a date: there is no such day or time"),
        ("2026-02-30T10:30:00Z", "timestamp", "column price: not a timestamp: there is no such day or time"),
        (
            "0001-01-01T00:00:00+02:00",
            "timestamp",
            "column price: not a timestamp: not within the years 1 to 9999 in UTC",
        ),
    ],
)
def test_the_reason_says_what_is_not_obvious(cell: str, type_: str, reason: str) -> None:
    assert read_cell(cell, type_) == RejectedRow(2, reason)


@pytest.mark.parametrize(("kind", "spelling"), SPELLINGS.items())
@pytest.mark.parametrize("separator", [".", ","])
def test_the_reason_says_how_a_value_is_written(kind: str, spelling: str, separator: str) -> None:
    type_ = kind.partition(" ")[2]
    if type_ == "decimal":
        spelling = spelling.replace(".", separator)
    assert read_cell("x", type_, separator=separator) == RejectedRow(2, f"column price: not {kind}: {spelling}")
    for written in spelling.removeprefix("write it as ").replace(" or ", ", ").split(", "):
        assert not isinstance(read_cell(written, type_, separator=separator), RejectedRow)


@pytest.mark.parametrize(
    ("cell", "is_stored"),
    [
        ("0." + "0" * 129 + "1", True),
        ("0." + "0" * 130 + "1", False),
        ("9" * 38 + "0" * 88, True),
        ("9" * 38 + "0" * 89, False),
        ("-" + "0" * 100 + "." + "0" * 100, True),
        ("0" * 250 + "1", False),
    ],
)
def test_a_number_that_dynamodb_refuses_is_rejected(cell: str, is_stored: bool) -> None:
    """1E-130 to 9.99E+125, in both directions."""
    found = read_cell(cell, "decimal")
    assert isinstance(found, Decimal) == is_stored
    assert isinstance(found, Decimal | RejectedRow)


@pytest.mark.parametrize("cell", ["-0", "-0.00", "+0"])
def test_there_is_one_zero(cell: str) -> None:
    assert str(read_cell(cell, "decimal")) == "0"


@pytest.mark.parametrize("cell", ["1" + "0" * 100_000, "0" * 100_000 + "1", "." + "0" * 100_000 + "1", "9" * 100_000])
def test_a_very_long_number_is_decided_at_once(cell: str) -> None:
    found = read_cell(cell, "decimal")
    assert isinstance(found, RejectedRow) or found == 1


numbers = st.from_regex(r"\A[+-]?[0-9]{0,45}\.?[0-9]{0,45}\Z")
moments = st.builds(
    lambda at, zone: at.isoformat() + zone, st.datetimes(), st.sampled_from(["", "Z", "+02:00", "-0930", "+05"])
)
likely = numbers | moments | st.dates().map(str) | st.sampled_from(["true", "No", "1", " 0 ", "٣", "1_0", "１"])  # noqa: RUF001


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])) | likely, st.sampled_from(TYPES))
def test_any_cell_is_stored_exactly_or_rejects_its_row(cell: str, type_: str) -> None:
    found = read_cell(cell, type_)
    if isinstance(found, RejectedRow):
        assert found.reason in REASONS
        assert not (type_ == "decimal" and re.fullmatch(r"-?[0-9]{1,19}\.[0-9]{1,19}", cell))
        assert type_ != "text"
    elif type_ == "text":
        assert found == (cell or None)
    elif found is not None:
        assert found == _value_of(cell.strip(" "), type_)


def _value_of(cell: str, type_: str) -> object:
    """What a cell means, by other code."""
    if type_ in ("integer", "decimal"):
        try:
            return Decimal(cell)
        except InvalidOperation:
            return "no number"
    if type_ == "boolean":
        return cell.lower() in ("true", "yes", "1")
    return cell if type_ == "date" else datetime.fromisoformat(cell).astimezone().astimezone(UTC).isoformat()


@given(st.lists(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)), min_size=2))  # noqa: DTZ001 - the zone follows
def test_timestamps_sort_in_the_order_of_time(times: list[datetime]) -> None:
    stored = [read_cell(time.isoformat() + "+01:00", "timestamp") for time in sorted(times)]
    assert stored == sorted(map(str, stored))


def test_columns_are_found_by_name_in_any_order() -> None:
    [row] = read("Preis;Ort;Stück;no\n1,5;Köln;3;A-1\n")
    assert row == Row(2, "A-1", '{"Ort":"Köln","no":"A-1"}', {"quantity": Decimal(3), "price": Decimal("1.5")})


def test_only_the_row_of_a_bad_cell_is_rejected() -> None:
    rows = read("no;Stück;Preis\n1;x;1\n2;;1\n3;1;\n4;1;1,0,0\n5;1\n;x;x\n")
    assert rows == [
        RejectedRow(2, "column Stück: not an integer: write it as 1234"),
        Row(3, "2", '{"no":"2"}', {"quantity": None, "price": Decimal(1)}),
        RejectedRow(4, "column Preis: empty, but required"),
        RejectedRow(5, "column Preis: not a decimal: write it as 1234,5"),
        RejectedRow(6, "2 fields, expected 3"),
        RejectedRow(7, "no id"),
    ]


def test_a_file_without_a_declared_column_is_unreadable() -> None:
    with pytest.raises(UnreadableFile, match=r"no column is named 'Preis'.*or set columns"):
        read_header(io.BytesIO("no;Stück\n".encode("cp1252")), TYPED)


def test_the_advice_knows_the_delimiter_of_declared_columns() -> None:
    format_ = FileFormat("@line", ",", "utf-8", columns=(Column.parse("price", "decimal"),))
    with pytest.raises(UnreadableFile, match="set delimiter=semicolon"):
        read("id;price\n1;2\n", format_)


def test_a_file_whose_columns_are_all_declared_is_read() -> None:
    format_ = FileFormat("id", ",", "utf-8", columns=(Column.parse("id", "integer"),))
    assert read("id\n7\n", format_) == [Row(2, "7", "{}", {"id": Decimal(7)})]


days = st.sampled_from(["%d %m %Y", "%-d %-m %y", "%d %b %Y", "%B %-d %y", "%Y %j", "%a %d %m %Y", "%A %-d %b %y"])
times = st.sampled_from(["", "%H", "%H %M", "%H %M %S", "%H %M %S %f", "%I %M %p", "%-I %p", "%H %M %z", "%-H %-M %-S"])
moments = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2068, 12, 31))  # noqa: DTZ001
changes = st.sampled_from([("0", ""), ("1", "01"), (" ", "  "), ("a", "A"), ("1", "\u0661"), ("P", "p"), ("2", "3")])


@given(
    parts=st.tuples(days, times).flatmap(st.permutations),
    between=st.sampled_from([".", "/", "-", " T"]),
    moment=moments,
    change=st.none() | changes,
)
def test_a_text_fits_if_its_value_gives_it(
    parts: list[str], between: str, moment: datetime, change: tuple[str, str] | None
) -> None:
    written = between.join(" ".join(filter(None, parts)).split(" "))
    format_ = DateFormat.compile(written)
    moment = moment.replace(tzinfo=UTC, **{name: 0 for name, field in LEFT_OUT.items() if field not in format_.fields})
    text = moment.strftime(written)
    if not change:
        found = format_.read(text)
        assert found
        assert found.replace(tzinfo=UTC) == moment
        return
    text = text.replace(*change, 1)
    try:
        found = format_.read(text)
    except NoSuchMoment:
        return
    if found:
        again = found.replace(tzinfo=UTC).strftime(written)
        fraction = r"0+(?=\D|$)" if "f" in format_.fields else "(?!)"  # which is read with one to six digits
        assert re.sub(fraction, "", again).casefold() == re.sub(fraction, "", text).casefold()


LEFT_OUT = {"hour": "H", "minute": "M", "second": "S", "microsecond": "f"}
