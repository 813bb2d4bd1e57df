"""Feed and FileFormat: what they refuse, their JSON, and how they come from the functions' environments."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csv_ingest.configuration import IngestConfig, NotConfigured, SweepConfig, SweptFeed
from csv_ingest.feed import Feed
from csv_ingest.intake import Intake, Taker
from csv_ingest.model import LINE_AS_ID, TYPES, Column, FileFormat
from csv_ingest.modes import APPEND, MERGE
from csv_ingest.settings import InvalidSetting

POSTGRESQL: dict[str, Any] = {
    "destination": "postgresql",
    "database_host": "vendors.cluster-abcdefghijkl.eu-central-1.rds.amazonaws.com",
    "database_name": "erp",
    "database_user": "csv_ingest",
    "database_table": "erp.vendors",
    "database_resource_id": "cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "subnets": ("subnet-0a1b2c3d4e5f60718", "subnet-0a1b2c3d4e5f60719"),
    "security_groups": ("sg-0a1b2c3d4e5f60718",),
}
SHARED = {"upload_bucket": "b", "files_table": "t", "failure_queue": "q"}

declarations = st.dictionaries(
    st.text(min_size=1, max_size=9),
    st.sampled_from([f"{type_}{more}" for type_ in TYPES for more in ("", " required")]),
)
formats = st.builds(
    FileFormat,
    id_column=st.just(LINE_AS_ID) | st.from_regex(r"[^@\n].{0,20}", fullmatch=True),
    delimiter=st.sampled_from(["comma", "semicolon", "tab", "pipe", ",", ";", "\t", "|", "~", "\\"]),
    encoding=st.sampled_from(["utf-8", "latin-1", "cp1252"]),
    decimal_separator=st.sampled_from(["point", "comma", ".", ","]),
    columns=declarations.map(lambda found: {f"{name} ": f"{type_} as c{number}"
                                            for number, (name, type_) in enumerate(found.items())}),
)  # fmt: skip
feeds = st.builds(
    Feed,
    name=st.from_regex(r"[a-z][a-z0-9-]{0,19}", fullmatch=True),
    key_prefix=st.from_regex(r"[A-Za-z0-9/_.-]{0,200}", fullmatch=True),
    key_suffixes=st.sampled_from([".csv", [".csv", ".TXT"], (".csv", ".CSV", ".csv.gz")]),
    format=formats,
    max_rejected=st.none() | st.sampled_from(["0", "20", "50%", 7]),
    timeout_seconds=st.integers(10, 900),
    reserved_concurrency=st.none() | st.integers(1, 10_000),
    max_write_units=st.none() | st.integers(1, 10_000_000),
    warm_write_units=st.none(),
    file_index=st.booleans(),
) | formats.filter(lambda found: found.id_column != LINE_AS_ID).map(
    lambda found: Feed(format=found, write_mode="merge", **POSTGRESQL)
)


@given(feeds)
def test_a_feed_comes_back_from_its_json(feed: Feed) -> None:
    assert Feed.from_json(feed.to_json()) == feed


@given(formats)
def test_a_format_comes_back_from_its_json(found: FileFormat) -> None:
    assert FileFormat.from_text(found.to_text()) == found


@given(feeds)
def test_what_a_feed_holds_it_also_takes(feed: Feed) -> None:
    assert replace(feed, format=replace(feed.format)) == feed


@pytest.mark.parametrize("text", ['{"format":{},"later":1}', '{"format":{"later":"x"}}'])
def test_another_release_of_a_feed_is_refused(text: str) -> None:
    with pytest.raises(InvalidSetting, match=r"^later: unknown to this release$"):
        Feed.from_json(text)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (lambda: Feed(name="Orders!"), "setting name='Orders!': allowed is a lower-case letter, then "),
        (lambda: Feed(timeout_seconds=3_000_000), "setting timeout_seconds=3000000: allowed is a whole number from 1"),
        (lambda: FileFormat(delimiter="::"), "setting delimiter='::': allowed is comma, "),
        (lambda: Feed(database_host="db.example.com"), "database_host: only a PostgreSQL feed uses it"),
        (lambda: Feed(destination="postgresql"), "database_host, database_name, database_user, database_table, "
                                                 "subnets, security_groups: not set, and a PostgreSQL feed "),
        (lambda: Feed(write_mode="merge", format=FileFormat(id_column=LINE_AS_ID)), "id_column=@line: in a feed that "),
    ],
)  # fmt: skip
def test_a_wrong_feed_is_never_made(made: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=f"^{expected}"):
        made()


@pytest.mark.parametrize("database", [{}, POSTGRESQL], ids=["dynamodb", "postgresql"])
@pytest.mark.parametrize(
    ("name", "setting"), [("uploaded", {"write_mode": "merge"}), ("row_expires_at", {"keep_rows_days": 30})]
)
def test_no_column_takes_the_place_of_our_own(database: dict[str, Any], name: str, setting: dict[str, Any]) -> None:
    columns = {"columns": {"Tag": f"date as {name}"}}
    Feed.of_settings("default", database | columns)
    with pytest.raises(InvalidSetting, match=f"columns: column 'Tag' cannot be stored as '{name}'"):
        Feed.of_settings("default", database | columns | setting)


@pytest.mark.parametrize(
    ("declaration", "expected"),
    [
        ("decimal", Column("Preis", "decimal", False, "Preis")),
        (" integer  required ", Column("Preis", "integer", True, "Preis")),
        ("text as price", Column("Preis", "text", False, "price")),
        ("date required as day_1", Column("Preis", "date", True, "day_1")),
    ],
)
def test_a_column_is_what_its_declaration_says(declaration: str, expected: Column) -> None:
    assert FileFormat(columns={"Preis": declaration}).columns == (expected,)


def test_settings_for_all_feeds_come_after_those_of_a_feed() -> None:
    for_all = POSTGRESQL | {"delimiter": ";", "encoding": "cp1252", "max_write_units": 5}
    own = {"delimiter": "tab", "destination": "dynamodb"}
    feed = Feed.of_settings("orders", own, for_all)
    assert feed == Feed(name="orders", format=FileFormat(delimiter="\t", encoding="cp1252"), max_write_units=5)
    with pytest.raises(InvalidSetting, match=r"^database_port: only a PostgreSQL feed uses it"):
        Feed.of_settings("orders", own | {"database_port": 1}, for_all)


class TestEnvironments:
    @given(feeds, st.none() | st.integers(60, 36_500))
    def test_of_a_feeds_function_has_the_feed(self, feed: Feed, days: int | None) -> None:
        config = IngestConfig(**SHARED, rows_table="r", feed=feed, keep_files_days=days)
        assert replace(IngestConfig.from_environment(config.to_environment("s")), release="") == config

    def test_of_the_sweep_has_what_it_sweeps(self) -> None:
        orders = Feed(
            name="orders", key_prefix="orders/", key_suffixes=(".csv",), write_mode="merge", keep_rows_days=30
        )
        swept = {"default": SweptFeed.of(Feed(), "f", 90), "orders": SweptFeed.of(orders, "g", 90)}
        ignored = ["reports/", "Größe "]
        config = SweepConfig(**SHARED, feeds=swept, ignored_prefixes=ignored, existing_bucket=True)
        read = SweepConfig.from_environment(config.to_environment())
        takers = [Taker("default", "", [".csv", ".CSV", ".csv.gz"]), Taker("orders", "orders/", [".csv"])]
        assert read.intake == Intake(takers=takers, ignored_prefixes=ignored, existing_bucket=True)
        assert {name: (each.function, each.mode, each.days) for name, each in read.feeds.items()} == {
            "default": ("f", APPEND, 90),
            "orders": ("g", MERGE, 30),
        }

    def test_of_an_older_release_sweeps_nothing_of_others(self) -> None:
        """`$LATEST` can have newer code for seconds of a deployment, if somebody invokes it."""
        feeds = '{"stock": {"function": "f", "prefix": "stock/", "suffixes": [".csv"], "mode": "merge"}}'
        older = {"UPLOAD_BUCKET": "b", "FILES_TABLE": "t", "FAILURE_QUEUE": "q", "FEEDS": feeds}
        read = SweepConfig.from_environment(older)
        assert (read.intake.ignored_prefixes, read.intake.existing_bucket) == ([], True)
        assert read.feeds["stock"].mode is MERGE
        del older["FILES_TABLE"]
        with pytest.raises(NotConfigured, match="FILES_TABLE"):
            SweepConfig.from_environment(older)


CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    ({"decimal_separator": ","}, ""),
    ({"decimal_separator": ",", "grouping_separator": ","}, "decimal_separator, grouping_separator: they are the same"),
    ({"delimiter": "'", "quote": "'"}, "delimiter, quote: they are the same character: change one"),
    ({"escape": '"'}, "escape, quote: they are the same character: change one"),
    ({"true_values": ["J", "ja"], "false_values": ["JA"]}, "true_values, false_values: 'JA' is in both"),
    ({"true_values": ["no"], "columns": {"a": "boolean"}}, "true_values, false_values: 'no' is in both: remove it"),
    ({"true_values": ["no"]}, ""),
    ({"null_values": ["0"], "columns": {"a": "boolean"}}, "false_values, null_values: '0' is in both: remove it from"),
    ({"null_values": ["0"]}, ""),
    ({"null_values": ["x"], "true_values": ["X"]}, "true_values, null_values: 'x' is in both: remove it from one"),
    ({"header": "none"}, "header_names: not set, and with header=none they name the columns: list them"),
    ({"header_names": ["id"]}, "header_names: they name the columns of a file with header=none: set it, or "),
    ({"header": "none", "header_names": ["a"]}, "header_names: 'id' is not among them, and is a column of the feed"),
    ({"header": "search", "id_column": "@line"}, "header=search: there is no name to search for: set id_column, or "),
    ({"header": "search", "id_column": "@line", "columns": {"a": "text"}}, ""),
    ({"header_match": "loose", "id_column": ["A", "a "]}, "id_column: with header_match=loose, 'A' is there twice"),
    ({"id_column": ["A", "@line"]}, "setting id_column: @line stands for itself, and for no column beside others"),
    ({"date_format": "%d.%m.%Y %H"}, "date_format: '%d.%m.%Y %H' has hours, and a date has none: declare a timestamp"),
    ({"date_format": "%d.%m."}, "setting date_format: '%d.%m.' has no year, month and day: write them as %Y or %y,"),
    ({"date_format": "%d.%m.%Y %Z"}, "setting date_format: '%d.%m.%Y %Z' has '%Z': a format can have %d %m "),
    ({"date_format": "%d.%m.%Y %y"}, "setting date_format: '%d.%m.%Y %y' has both %Y and %y, which say the same"),
    ({"date_format": "%-d%-m%Y"}, "setting date_format: '%-d%-m%Y' has %-d before %-m, so that nobody knows where"),
    ({"timestamp_format": "%Y%m%d %I"}, "setting timestamp_format: '%Y%m%d %I' has %I without %p: add it, or "),
    ({"timestamp_format": "%Y%m%d %H"}, "timestamp_format: '%Y%m%d %H' has no %z: add it, or set timezone"),
    ({"timestamp_format": "%Y%m%d", "timezone": "UTC"}, "timestamp_format: '%Y%m%d' has no hours: declare a date, or"),
    ({"timestamp_format": "%Y%m%d %H:%S", "timezone": "UTC"}, "setting timestamp_format: '%Y%m%d %H:%S' has a part of"),
    (
        {"columns": {"a": {"type": "timestamp", "format": "%Y%m%d %H"}}},
        "columns: column 'a': format: '%Y%m%d %H' has no",
    ),
    (
        {"affixes": ["m2"]},
        "setting affixes: 'm2' has a digit, a sign, a bracket, or a space at its end: it could be of",
    ),
    ({"timestamp_format": ["unix", "unix_ms"]}, "timestamp_format: each number is unix and unix_ms, which are two"),
    ({"timestamp_format": "%Y%m%d %H", "columns": {"a": {"type": "timestamp", "timezone": "UTC"}}}, ""),
    (
        {"date_format": "%-d1%-m.%Y"},
        "setting date_format: '%-d1%-m.%Y' has %-d before 1, so that nobody knows where it",
    ),
    (
        {"date_format": "%Y%m%-d1"},
        "setting date_format: '%Y%m%-d1' has %-d before 1, so that nobody knows where it ends",
    ),
    ({"timestamp_format": "%Y%m%d %H%M%S%f%z"}, ""),
    (
        {"header": "none", "header_names": ["id", "ID"], "header_match": "loose"},
        "header_names: with header_match=loose, ",
    ),
    ({"header": "none", "header_names": ["id", "a"], "known_columns": ["b"]}, "header_names: 'a' is not among known_"),
    (
        {"affixes": ["."]},
        "setting affixes: '.' has a digit, a sign, a bracket, or a space at its end: it could be of a",
    ),
    (
        {"affixes": ["Rs", "Rs."]},
        "setting affixes: 'Rs' and 'Rs.' differ by a separator, which could be of the number: ",
    ),
    (
        {"timezone": "Europe"},
        "setting timezone='Europe': allowed is the IANA name of a time zone, such as Europe/Berlin",
    ),
    ({"timezone": "A" * 300}, "setting timezone='AAA"),
    ({"id_column": "[" * 100_000}, "setting id_column='[[["),
    ({"columns": "[" * 100_000}, "setting columns='[[["),
    ({"date_format": "%Y-%m-%d\ud800"}, "setting date_format='%Y-%m-%d\\ud800': allowed is a format in strptime's"),
    ({"columns": {"a": {"type": "date", "format": []}}}, "setting columns: column 'a': format=[] is neither a format "),
]
"""Settings, and why they are refused; nothing if they are not."""


@pytest.mark.parametrize(("settings", "problem"), CONTRADICTIONS)
def test_what_contradicts_itself_is_refused(settings: dict[str, Any], problem: str) -> None:
    if not problem:
        FileFormat(**settings)
        return
    with pytest.raises(InvalidSetting) as error:
        FileFormat(**settings)
    assert str(error.value).startswith(problem)


def test_nothing_read_by_line_may_be_a_header() -> None:
    silent: list[dict[str, Any]] = [{"id_column": "@line"}, {"id_column": "@line", "delimiter": ";"}]
    said: list[dict[str, Any]] = [{"header": "first"}, {"known_columns": ["a"]}, {"columns": {"a": "text"}}]
    assert all(FileFormat(**each).is_headed_silently for each in silent)
    assert not any(FileFormat(id_column="@line", **each).is_headed_silently for each in said)
