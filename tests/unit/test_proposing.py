"""A proposed feed reads the files that it was made from."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from csv_ingest import csvfile
from csv_ingest.feed import Feed
from csv_ingest.feed_rules import OF_POSTGRESQL
from csv_ingest.model import Row, Value
from ops import local_files, proposing
from ops.commands import main
from ops.proposing import encoding, names, types
from ops.proposing.cells import Cells, Place
from ops.wording import silent

END = "This is a proposal: look at it. A file shows what is in it, not what will come."


def cells_of(column: Sequence[str]) -> Cells:
    cells = Cells()
    for line, cell in enumerate(column, start=2):
        cells.add(cell, Place("a.csv", line))
    return cells


def chosen(columns: Mapping[str, Sequence[str]], timezone: str = "") -> types.Types:
    return types.choose({name: cells_of(column) for name, column in columns.items()}, timezone)


@pytest.mark.parametrize(
    ("column", "type_"),
    [
        (["true", "FALSE", ""], "boolean"),
        (["yes", "no"], "boolean"),
        (["J", "N", "j"], "boolean"),
        (["J"], None),
        (["0", "1"], "integer"),
        (["true", "0"], None),
        (["12", " -3 ", "0"], "integer"),
        (["12", "NULL"], "integer"),
        (["NULL"], None),
        (["007", "12"], None),
        (["-007"], None),
        (["+49301234"], None),
        (["12", "1.50"], "decimal"),
        (["0.5"], "decimal"),
        (["0.125"], "decimal"),
        (["00.5"], None),
        (["1,5"], "decimal"),
        (["1.500", "2.250"], None),
        (["1,234,567"], "integer"),
        (["$5.00", "($6.00)"], "decimal"),
        (["$5.00", "6.00"], None),
        (["$5.00", "EUR 6.00"], None),
        (["9223372036854775807", "-9223372036854775807"], "integer"),
        (["9223372036854775808"], "decimal"),
        (["9" * 39], None),
        (["2026-11-25"], "date"),
        (["2026-02-30"], None),
        (["20261125"], "date"),
        (["28.11.2026", "1.2.2026"], "date"),
        (["01.02.2026", "02.03.2026", "1.2.2026", "3.4.2026"], "date"),
        (["01.02.2026", "02.03.2026", "2026-03-04"], None),
        (["02/28/2026"], "date"),
        (["02/03/2026"], None),
        (["2026-11-25T10:00:00Z"], "timestamp"),
        (["2026-11-25T10:00:00"], None),
        (["2026-11-25", "2026-11-25T10:00:00Z"], None),
        (["", " "], None),
        ([], None),
        (["a"], None),
    ],
)
def test_the_narrowest_type_that_fits_is_proposed(column: list[str], type_: str | None) -> None:
    assert chosen({"x": column}).types == ({} if type_ is None else {"x": type_})


def test_separators_are_those_of_most_columns() -> None:
    found = chosen({"a": ["1.500"], "b": ["12,50"], "c": ["3.5"], "d": ["7,25"]})
    assert found.types == {"a": "integer", "b": "decimal", "d": "decimal"}
    assert found.settings["decimal_separator"] == ","
    assert "decimal_separator=point" in found.remarks["c"]


def test_local_timestamps_need_a_zone() -> None:
    column = {"t": ["28.11.2026 10:30", "29.11.2026 11:30"]}
    assert "--timezone" in chosen(column).remarks["t"]
    assert chosen(column, "Europe/Berlin").types == {"t": "timestamp"}
    assert chosen(column, "Europe/Berlin").formats == {"t": ("%d.%m.%Y %H:%M",)}


def test_names_in_the_destination_are_possible_and_different() -> None:
    columns = ["line", "Größe (cm)", "Grosse cm", "Grosse_cm", "2026", "日本", "x" * 80]
    assert list(names.stored_as(columns, Feed().reserved_names).values()) == [
        *("line_2", "Groe_cm", "Grosse_cm", "Grosse_cm_2", "_2026", "column", "x" * 50),
    ]


def test_names_of_the_destination_itself_are_not_proposed() -> None:
    assert names.stored_as(["id", "xmin"], OF_POSTGRESQL) == {"id": "id_2", "xmin": "xmin_2"}


@pytest.mark.parametrize(
    ("file", "name"),
    [("Bank Auszüge 2026.csv", "bank-auszuge-2026"), ("2026.csv", "feed"), ("x" * 30 + ".csv.gz", "x" * 20)],
)
def test_a_feed_is_named_after_its_file(file: str, name: str) -> None:
    assert names.of_feed(Path(file)) == name
    assert Feed(name=name)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["propose", *map(str, arguments)])


def proposed(folder: Path, content: str | bytes, *options: str, name: str = "a.csv") -> dict[str, Any]:
    """What `propose` prints for a file; `check` takes it."""
    file, printed = folder / name, folder / "feed.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = run(file, *options)
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (0, END)
    printed.write_text(done.stdout)
    assert CliRunner().invoke(main, ["check", str(file), "--settings", str(printed)]).exit_code == 0
    ((_, found),) = json.loads(done.stdout).items()
    return dict(found)


BANK = """Umsätze Girokonto;;;;

Buchungstag;Beleg;Empfänger;Betrag;Gebucht
27.02.2026;1;Müller;1.234,56;ja
27.02.2026;2;Bäckerei Löwe;-4,50;ja
28.02.2026;1;"Schmidt; Söhne";12,00;nein
28.02.2026;2;Müller;1,00;
Summe;;;1.243,06;
"""


def test_german_bank_export(tmp_path: Path) -> None:
    assert proposed(tmp_path, BANK.replace("\n", "\r\n").encode("cp1252"), "--name", "bank") == {
        "key_prefix": "bank/",
        "encoding": "cp1252",
        "delimiter": "semicolon",
        "header": "search",
        "footer_records": 1,
        "id_column": ["Buchungstag", "Beleg"],
        "true_values": ["ja"],
        "false_values": ["nein"],
        "decimal_separator": "comma",
        "grouping_separator": "point",
        "date_format": "%d.%m.%Y",
        "columns": {
            "Buchungstag": "date required",
            "Beleg": "integer required",
            "Betrag": "decimal required",
            "Gebucht": "boolean",
        },
    }


def test_american_file_with_dollars_and_brackets(tmp_path: Path) -> None:
    content = 'Order Number,Amount,Paid\nA1,"$1,234.50",02/28/2026\nA2,($12.00),03/01/2026\nA3,$7.00,\n'
    assert proposed(tmp_path, content) == {
        "key_prefix": "a/",
        "id_column": "Order Number",
        "grouping_separator": "comma",
        "number_style": "accounting",
        "affixes": ["$"],
        "date_format": "%m/%d/%Y",
        "columns": {"Amount": "decimal required", "Paid": "date"},
    }


def test_tab_file_without_header(tmp_path: Path) -> None:
    assert proposed(tmp_path, "A1\tbolt M6\t5\t20260228\nA2\tnut\t7\t20260301\n", name="stock.tsv") == {
        "key_prefix": "stock/",
        "key_suffixes": [".tsv"],
        "delimiter": "tab",
        "header": "none",
        "header_names": ["column_1", "column_2", "column_3", "column_4"],
        "id_column": "column_1",
        "date_format": "%Y%m%d",
        "columns": {"column_3": "integer required", "column_4": "date required"},
    }


def test_ambiguous_dates_are_not_declared(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,day\n1,01/02/2026\n2,03/04/2026\n")
    done = run(tmp_path / "a.csv")
    assert json.loads(done.stdout) == {"a": {"key_prefix": "a/"}}
    assert "every cell fits %d/%m/%Y and %m/%d/%Y, which give other days" in done.stderr


def test_files_without_an_id_are_numbered(tmp_path: Path) -> None:
    expected = {"key_prefix": "a/", "header": "first", "id_column": "@line"}
    assert proposed(tmp_path, "word,text\nx,same\nx,same\ny,other\n") == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("sep=|\nid|name\n1|x\n2|y\n", {"delimiter": "pipe"}),
        ('id,name\n1,"a \\"b\\", c"\n2,y\n', {"escape": "\\"}),
        ('id\tname\n1\t"5 inches\n2\ty\n', {"delimiter": "tab", "quote": "none"}),
        ("id,name\n'1','x, y'\n'2','z'\n", {"quote": "'"}),
        ('id,name\n1, "x, y"\n2, "z"\n', {"trim": True}),
        ("id ,name\n1,x\n", {"trim": True}),
        ("id,name,note\n1,x\n2,y,z\n3\n4,x,y\n", {"short_rows": "fill"}),
        ("Report\nid,name\nA1,x\nA2,y\n", {"header": "search"}),
    ],
)
def test_other_dialects_are_recognised(content: str, expected: dict[str, Any], tmp_path: Path) -> None:
    assert proposed(tmp_path, content) == {"key_prefix": "a/"} | expected


def test_a_title_with_the_ids_name_is_passed(tmp_path: Path) -> None:
    content = "Nr;;\nNr;Name;Text\nA1;x;a b\nA2;y;c d\n"
    assert proposed(tmp_path, content)["header"] == 2


def test_a_last_row_with_its_id_is_no_footer(tmp_path: Path) -> None:
    rows = "".join(f"A{number},{number},x\n" for number in range(20))
    assert "footer_records" not in proposed(tmp_path, f"id,qty,name\n{rows}A20,,\n")


def test_all_files_fit_the_proposal(tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("id,qty,day,only here\n1,5,2026-11-28,3\n2,6,2026-11-28,4\n")
    second.write_text("day,id,qty\n2026-11-29,1,0.5\n,2,7.5\n")
    done = run(first, second)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["first"]["columns"] == {"qty": "decimal required", "day": "date"}


def test_cells_that_nearly_fit_are_located(tmp_path: Path) -> None:
    rows = "".join(f"{number},{'secret' if number in (17, 30) else number}\n" for number in range(1, 51))
    (tmp_path / "a.csv").write_text(f"id,qty\n{rows}")
    done = run(tmp_path / "a.csv")
    assert "2 of 50 filled cells do not fit: a.csv line 18, a.csv line 31" in done.stderr
    assert "secret" not in done.output


def test_rejected_rows_give_exit_code_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,name\n1,x\n2,y,z\n3,w\n")
    done = run(tmp_path / "a.csv")
    assert done.exit_code == 1
    assert "1 of 3 rows would be rejected" in done.stderr
    assert "a.csv line 3: 3 fields, expected 2" in done.stderr


def test_wrong_calls_give_exit_code_two(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id\n1\n")
    assert run().exit_code == 2
    assert run(tmp_path / "a.csv", "--name", "No Name").exit_code == 2
    assert run(tmp_path / "a.csv", "--timezone", "Berlin Time").exit_code == 2


def test_empty_files_have_no_proposal(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    done = run(tmp_path / "a.csv")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "a.csv has no record" in done.stderr


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\xef\xbb\xbfid\n1\n", "utf-8"),
        ("id\n1\n".encode("utf-16"), "utf-16"),
        ("id,name\n1,x\n".encode("utf-16-le"), "utf-16-le"),
        ("Größe\n".encode(), "utf-8"),
        ("Größe\n".encode("cp1252"), "cp1252"),
        ("Wrocław\n".encode("cp1250"), "cp1250"),
        ("東京;日本語\n".encode("cp932"), "cp932"),
        ("Größe\n".encode() * 9 + b"\xfc\n", "utf-8"),
    ],
)
def test_encodings_are_recognised(content: bytes, name: str, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(content)
    assert encoding.find(local_files.Reading(file, silent).open).name == name


class Dialect(NamedTuple):
    """How a table is written."""

    delimiter: str
    quoting: int
    decimal: str
    grouping: str
    date_format: str
    words: tuple[str, str]
    encoding: str
    end: str
    titles: int
    has_footer: bool


dialects = st.builds(
    Dialect,
    delimiter=st.sampled_from(";,\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    decimal=st.sampled_from(".,"),
    grouping=st.sampled_from(["", "'", " ", "other"]),
    date_format=st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%b-%Y", "%Y%m%d", "%d.%m.%y"]),
    words=st.sampled_from([("true", "false"), ("yes", "no"), ("J", "N"), ("oui", "non")]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "cp1252"]),
    end=st.sampled_from(["\n", "\r\n"]),
    titles=st.integers(0, 2),
    has_footer=st.booleans(),
)

TEXTS = ["Müller", "x, y", "a;b", 'say "hi"', "Größe", "two words", "tab\tin it", ""]
VALUES: dict[str, st.SearchStrategy[Value]] = {
    "integer": st.integers(-10_000_000, 10_000_000).map(Decimal),
    "decimal": st.integers(-10_000_000, 10_000_000).map(lambda cents: Decimal(cents) / 100),
    "date": st.integers(0, 9_999).map(lambda days: (date(2000, 1, 1) + timedelta(days)).isoformat()),
    "boolean": st.booleans(),
}
FIRST: dict[str, list[Value]] = {
    "integer": [Decimal(1_234_567), Decimal(7)],
    "decimal": [Decimal("1234567.50"), Decimal("0.05")],
    "date": ["2026-11-28", "1999-01-31"],
    "boolean": [True, False],
}
"""The first rows make the answer unique: groups of digits, a day over 12, both truths."""


class Generated(NamedTuple):
    """A table, and its ids."""

    ids: list[tuple[str, ...]]
    id_names: tuple[str, ...]
    typed: dict[str, tuple[str, list[Value | None]]]
    texts: list[str]


@st.composite
def tables(draw: st.DrawFn) -> Generated:
    rows = draw(st.integers(4, 8))
    pairs = [(str(100 + row // 2), str(1 + row % 2)) for row in range(rows)]
    id_names = draw(st.sampled_from([("order", "pos"), ("id",), ("Kunden-Nr",)]))
    ids: list[tuple[str, ...]] = [*pairs] if len(id_names) > 1 else [(f"K{row + 7}",) for row in range(rows)]
    typed: dict[str, tuple[str, list[Value | None]]] = {}
    for type_ in draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=5)):
        rest = draw(st.lists(st.none() | VALUES[type_], min_size=rows - 2, max_size=rows - 2))
        typed[f"{type_} {len(typed)}"] = (type_, [*FIRST[type_], *rest])
    texts = draw(st.lists(st.sampled_from(TEXTS), min_size=rows, max_size=rows))
    return Generated(ids, id_names, typed, texts)


def text_of(value: Value | None, dialect: Dialect) -> str:
    """A cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return dialect.words[not value]
    if isinstance(value, str):
        return date.fromisoformat(value).strftime(dialect.date_format)
    other = {".": ",", ",": "."}[dialect.decimal]
    grouping = other if dialect.grouping == "other" else dialect.grouping
    text = f"{value:,}" if value == value.to_integral() and "." not in str(value) else f"{value:,.2f}"
    return text.translate({ord(","): grouping, ord("."): dialect.decimal})


def written(table: Generated, dialect: Dialect) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=dialect.delimiter, quoting=dialect.quoting, lineterminator=dialect.end)  # type: ignore[arg-type]
    for number in range(dialect.titles):
        writer.writerow([f"Export {number}"])
    writer.writerow([*table.id_names, *table.typed, "note"])
    for row, ids in enumerate(table.ids):
        cells = [text_of(column[row], dialect) for _, column in table.typed.values()]
        writer.writerow([*ids, *cells, table.texts[row]])
    if dialect.has_footer:
        writer.writerow(["Total", *[""] * (len(table.id_names) + len(table.typed))])
    return out.getvalue().encode(dialect.encoding)


@settings(max_examples=40, deadline=None)
@given(tables(), dialects)
def test_the_proposed_feed_reads_what_was_written(table: Generated, dialect: Dialect) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "a.csv"
        file.write_bytes(written(table, dialect))
        proposal = proposing.propose([file], name="a", timezone="", progress=silent)
        assert not list(proposing.objections(proposal, file, silent))
        with file.open("rb") as stream:
            rows = list(csvfile.read_rows(stream, proposal.feed.format))
    assert [row.id for row in rows if isinstance(row, Row)] == ["|".join(each) for each in table.ids]
    columns = {column.name: column for column in proposal.feed.format.columns}
    for name, (type_, expected) in table.typed.items():
        assert columns[name].type == type_
        assert [row.values[columns[name].stored_as] for row in rows if isinstance(row, Row)] == expected
