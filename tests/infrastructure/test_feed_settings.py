"""What a user writes into `feeds`, and which feeds cannot be deployed together."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csv_ingest.feed import Feed
from csv_ingest.model import FileFormat
from stacks.context import InvalidSetting, settings_from_context
from tests.infrastructure.conftest import CERTIFICATE, POSTGRESQL, SECRET_ARN

ORDERS = {"key_prefix": "orders/", "id_column": "order_id", "columns": {"price": "decimal"}}
VENDORS = {"key_prefix": "vendors/acme/", "delimiter": "semicolon", "encoding": "cp1252"}


def feeds_of(**context: Any) -> dict[str, Feed]:
    return {feed.name: feed for feed in settings_from_context(context).feeds}


def message(**context: Any) -> str:
    with pytest.raises(InvalidSetting) as error:
        settings_from_context(context)
    return str(error.value)


def in_file(folder: Path, feeds: Any) -> str:
    (folder / "feeds.json").write_text(json.dumps(feeds, indent=2))
    return f"@{folder / 'feeds.json'}"


@pytest.mark.parametrize("written", ["cdk.json", "command line", "file"])
def test_each_feed_has_settings_of_its_own(tmp_path: Path, written: str) -> None:
    ways: dict[str, Any] = {"cdk.json": dict, "command line": json.dumps, "file": partial(in_file, tmp_path)}
    assert feeds_of(feeds=ways[written]({"orders": ORDERS, "vendors": VENDORS})) == {
        "orders": Feed(
            name="orders",
            key_prefix="orders/",
            format=FileFormat(id_column="order_id", columns={"price": "decimal"}),
        ),
        "vendors": Feed(
            name="vendors", key_prefix="vendors/acme/", format=FileFormat(delimiter=";", encoding="cp1252")
        ),
    }


@pytest.mark.parametrize("feeds", [{}, {"feeds": {}}])
def test_without_feeds_there_is_the_default(feeds: dict[str, Any]) -> None:
    assert feeds_of(**feeds, key_prefix="in/") == {"default": Feed(key_prefix="in/")}


def test_settings_outside_of_feeds_hold_for_all() -> None:
    feeds = feeds_of(feeds={"orders": ORDERS, "vendors": VENDORS}, delimiter="tab", memory_mb="1024")
    assert {name: (feed.format.delimiter, feed.memory_mb) for name, feed in feeds.items()} == {
        "orders": ("\t", 1024),
        "vendors": (";", 1024),
    }


@pytest.mark.parametrize(
    ("name", "suffix"), [("default", ""), ("orders", "Orders"), ("acme-eu", "AcmeEu"), ("a1-2b", "A12b")]
)
def test_names_of_outputs_end_in_the_suffix(name: str, suffix: str) -> None:
    assert Feed(name=name).suffix == suffix


@pytest.mark.parametrize(
    ("feeds", "expected"),
    [
        ({"Orders": {}}, "setting feeds: feed='Orders': allowed is a lower-case letter, then "),
        ({"a" * 21: {}}, f"setting feeds: feed='{'a' * 21}': allowed is "),
        ({"orders": {"memory_mb": 1}}, "setting feeds.orders.memory_mb=1: allowed is a whole number from 256 to "),
        ({"default": {"key_prefix": "*"}}, "setting feeds.default.key_prefix='*': allowed is "),
        (
            {"orders": {"delimter": ";"}},
            "unknown setting feeds.orders.delimter, did you mean delimiter? There are: key",
        ),
        (
            {"orders": {"kms_key": "x"}},
            "unknown setting feeds.orders.kms_key: kms_key is a setting of the deployment, ",
        ),
        ({"orders": "in/"}, "setting feeds.orders='in/': allowed is an object in cdk.json"),
        ({"orders": {"feeds": {}}}, "unknown setting feeds.orders.feeds. There are: "),
        (
            "@nowhere.json",
            "setting feeds is not the JSON of one line, nor @ and the name of a file with JSON: [Errno 2]",
        ),
        ([], "setting feeds=[]: allowed is an object in cdk.json"),
        ('{"orders": ', "setting feeds is not the JSON of one line, nor @ and the name "),
    ],
)
def test_an_invalid_feed_names_key_and_allowed_values(feeds: Any, expected: str) -> None:
    assert message(feeds=feeds).startswith(expected)


class TestPrefixes:
    @pytest.mark.parametrize(
        ("first", "second"), [("in/", "in/orders/"), ("in/orders/", "in/"), ("in", "in/"), ("in/", "in/"), ("", "in/")]
    )
    def test_that_overlap_are_refused_with_both_names(self, first: str, second: str) -> None:
        text = message(feeds={"orders": {"key_prefix": first}, "vendors": {"key_prefix": second}})
        assert text.startswith("feeds orders and vendors: ")
        assert f"feeds.orders.key_prefix={first!r}" in text
        assert f"feeds.vendors.key_prefix={second!r}" in text

    def test_overlap_whatever_the_suffixes_are(self) -> None:
        feeds = {"csv": {"key_suffixes": ".csv"}, "text": {"key_suffixes": ".txt"}}
        assert message(feeds=feeds, key_prefix="in/").startswith("feeds csv and text: ")


class TestStages:
    def test_change_single_settings_of_a_feed(self) -> None:
        context = {
            "feeds": {"orders": ORDERS, "vendors": VENDORS},
            "stages": {"prod": {"memory_mb": 1024, "feeds": {"orders": {"reserved_concurrency": 200}}}},
        }
        assert feeds_of(**context)["orders"].reserved_concurrency == 50
        prod = feeds_of(**context, stage="prod")
        assert (prod["orders"].reserved_concurrency, prod["orders"].format.id_column) == (200, "order_id")
        assert {feed.memory_mb for feed in prod.values()} == {1024}

    def test_may_have_a_feed_of_their_own(self) -> None:
        context = {"feeds": {"orders": ORDERS}, "stages": {"prod": {"feeds": {"vendors": VENDORS}}}}
        assert list(feeds_of(**context)) == ["orders"]
        assert list(feeds_of(**context, stage="prod")) == ["orders", "vendors"]

    def test_a_feeds_setting_given_twice_is_an_error(self) -> None:
        stages = {"prod": {"feeds": {"orders": {"id_column": "id"}}}}
        text = message(feeds={"orders": ORDERS}, stages=stages, stage="prod")
        assert text.startswith("feeds.orders.id_column: set for the stage prod and outside of it")

    @pytest.mark.parametrize(
        ("feeds", "expected"),
        [
            ({"late": {"key_prefix": "orders/late/"}}, "stages.prod: feeds orders and late: "),
            ({"orders": {"memory": 1}}, "unknown setting stages.prod.feeds.orders.memory, did you mean memory_mb?"),
            ({"Late": {}}, "setting stages.prod.feeds: feed='Late': allowed is "),
        ],
    )
    def test_are_checked_even_if_another_is_deployed(self, feeds: Any, expected: str) -> None:
        assert message(feeds={"orders": ORDERS}, stages={"prod": {"feeds": feeds}}).startswith(expected)


class TestLimits:
    """docs/feeds.md says where each comes from."""

    def test_two_feeds_cannot_have_the_same_outputs(self) -> None:
        text = message(feeds={"a-1": {"key_prefix": "x/"}, "a1": {"key_prefix": "y/"}})
        assert text == "feeds a-1 and a1: the outputs of both would end in A1: rename one"

    def test_twenty_feeds_are_allowed_and_no_more(self) -> None:
        assert len(feeds_of(feeds=numbered(20))) == 20
        assert message(feeds=numbered(21)).startswith("feeds: 21 are too many for one deployment, at most 20 ")

    def test_a_hundred_notifications_are_allowed_and_no_more(self) -> None:
        suffixes = ",".join(f".{number}" for number in range(20))
        assert feeds_of(feeds=numbered(5), key_suffixes=suffixes)
        text = message(feeds={**numbered(5), "x": {"key_prefix": "x/", "key_suffixes": ".csv"}}, key_suffixes=suffixes)
        assert text.startswith("key_suffixes: the feeds have 101 in all, and S3 allows 100 notifications")

    def test_the_sweeps_environment_must_fit(self) -> None:
        feeds = {name: {"key_prefix": "x" * 100 + each["key_prefix"]} for name, each in numbered(20).items()}
        assert message(feeds=feeds).startswith("feeds: the environment of the sweep would have up to 6,")

    def test_the_functions_environment_must_fit(self) -> None:
        columns = {f"column {number:03}": f"text as column_{number:03}" for number in range(86)}
        assert feeds_of(feeds={"orders": ORDERS | {"columns": columns}}, id_column="id")
        text = message(feeds={"orders": ORDERS | {"columns": columns, "id_column": "ü" * 255}})
        assert text.startswith("feeds.orders: the environment of the function would have up to 4,")


CONCURRENCY = pytest.mark.parametrize(
    ("given", "expected"), [({}, 10), ({"reserved_concurrency": 50}, 50), ({"reserved_concurrency": None}, None)]
)


@CONCURRENCY
@pytest.mark.parametrize("value", [True, "true", "True"])
def test_an_index_has_ten_deliveries_unless_told_otherwise(
    given: dict[str, Any], expected: int | None, value: Any
) -> None:
    """All parts of a file write to one partition of the index."""
    feeds = feeds_of(feeds={"orders": ORDERS | {"file_index": value} | given, "others": {"key_prefix": "others/"}})
    assert (feeds["orders"].file_index, feeds["orders"].reserved_concurrency) == (True, expected)
    assert (feeds["others"].file_index, feeds["others"].reserved_concurrency) == (False, 50)


IN_POSTGRESQL: dict[str, Any] = {**POSTGRESQL, "key_prefix": "vendors/"}


class TestPostgresql:
    def test_has_what_is_given_for_it_or_all(self) -> None:
        for_all = {name: value for name, value in POSTGRESQL.items() if name not in ("destination", "database_table")}
        own = {"destination": "postgresql", "key_prefix": "vendors/", "database_table": "vendors"}
        feeds = feeds_of(feeds={"orders": ORDERS, "vendors": own}, **for_all)
        assert feeds["vendors"] == feeds_of(feeds={"vendors": IN_POSTGRESQL})["vendors"]
        assert (feeds["vendors"].is_postgresql, feeds["orders"].is_postgresql) == (True, False)

    @CONCURRENCY
    def test_takes_ten_connections_unless_told_otherwise(self, given: dict[str, Any], expected: int | None) -> None:
        assert feeds_of(feeds={"vendors": IN_POSTGRESQL | given})["vendors"].reserved_concurrency == expected
        assert feeds_of(feeds={"vendors": IN_POSTGRESQL}, **given)["vendors"].reserved_concurrency == expected

    @pytest.mark.parametrize(
        "name", ["database_host", "database_name", "database_user", "database_table", "subnets", "security_groups"]
    )
    def test_without_a_needed_setting_names_it(self, name: str) -> None:
        feed = {key: value for key, value in IN_POSTGRESQL.items() if key != name}
        assert message(feeds={"vendors": feed}).startswith(f"feeds.vendors.{name}: not set, and a PostgreSQL feed ")

    @pytest.mark.parametrize(
        "given", [{"database_secret": SECRET_ARN}, {"database_resource_id": None}], ids=["both", "neither"]
    )
    def test_has_exactly_one_login(self, given: dict[str, Any]) -> None:
        text = message(feeds={"vendors": IN_POSTGRESQL | given})
        assert text.startswith("feeds.vendors.database_resource_id, feeds.vendors.database_secret: set exactly one")

    def test_may_refuse_the_login_of_all(self) -> None:
        own = IN_POSTGRESQL | {"database_secret": None}
        assert feeds_of(feeds={"vendors": own}, database_secret=SECRET_ARN)["vendors"].database_secret is None

    @pytest.mark.parametrize(
        ("name", "value", "problem"),
        [
            ("max_write_units", 5, "it is of a DynamoDB table, and a PostgreSQL feed has none"),
            (
                "file_index",
                True,
                "it is an index of a DynamoDB table. In this one, the primary key finds the rows of a file",
            ),
            ("rows_table", "Rows", "it names a table in DynamoDB, and the rows of this feed go to PostgreSQL"),
        ],
    )
    def test_has_no_setting_of_dynamodb(self, name: str, value: Any, problem: str) -> None:
        given, expected = {name: value}, f"{name}: {problem}: remove it"
        assert message(feeds={"vendors": IN_POSTGRESQL | given}) == f"feeds.vendors.{expected}"
        assert message(**POSTGRESQL, **given) == expected
        assert feeds_of(feeds={"orders": ORDERS, "vendors": IN_POSTGRESQL}, **given)

    def test_that_merges_is_told_which_index(self) -> None:
        merging = IN_POSTGRESQL | {"file_index": True, "write_mode": "merge"}
        assert "create an index on (etag, line): remove it" in message(feeds={"vendors": merging})

    @pytest.mark.parametrize("name", sorted(POSTGRESQL.keys() - {"destination"}))
    def test_alone_has_its_settings(self, name: str) -> None:
        text = message(feeds={"orders": ORDERS | {name: POSTGRESQL[name]}})
        assert text.startswith(f"feeds.orders.{name}: only a PostgreSQL feed uses it: set destination=")
        assert feeds_of(feeds={"orders": ORDERS}, **{name: POSTGRESQL[name]})
        assert message(**{name: POSTGRESQL[name]}).startswith(
            f"{name}: only a PostgreSQL feed uses it: set destination="
        )

    @pytest.mark.parametrize(
        ("table", "shared"),
        [
            ("vendors", "vendors"),
            ("public.vendors", "vendors"),
            ("vendors_files", "vendors_files"),
            ("public.vendors_newest", "vendors_newest"),
        ],
    )
    def test_has_a_table_of_its_own(self, table: str, shared: str) -> None:
        other = IN_POSTGRESQL | {"key_prefix": "b/", "database_table": table}
        text = message(feeds={"vendors": IN_POSTGRESQL, "b": other})
        assert text.startswith(f"feeds vendors and b: both have the table {shared} of erp on vendors.cluster-")
        assert feeds_of(feeds={"vendors": IN_POSTGRESQL, "b": other | {"database_name": "other"}})
        through_another_host = other | {"database_host": "vendors-1.abcdefghijkl.eu-central-1.rds.amazonaws.com"}
        assert message(feeds={"vendors": IN_POSTGRESQL, "b": through_another_host}).startswith("feeds vendors and b: ")

    def test_has_names_beside_its_table(self) -> None:
        for table in ("v" * 54, f"{'s' * 60}.{'v' * 54}"):
            assert feeds_of(feeds={"vendors": IN_POSTGRESQL | {"database_table": table}})
        text = message(feeds={"vendors": IN_POSTGRESQL | {"database_table": f"s.{'v' * 55}"}})
        assert text.startswith(
            f"feeds.vendors.database_table: {'v' * 55} has 55 characters, of 54 possible: beside it are"
        )

    @pytest.mark.parametrize("name", ["id", "tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"])
    def test_stores_no_column_under_a_taken_name(self, name: str) -> None:
        columns = {"columns": {"nr": f"text as {name}"}}
        text = message(feeds={"vendors": IN_POSTGRESQL | columns})
        assert text.startswith(
            f"feeds.vendors.columns: column 'nr' cannot be stored as {name!r}, which every row of a "
        )
        assert feeds_of(feeds={"orders": ORDERS | columns})

    def test_must_fit_the_environment_with_its_certificate(self) -> None:
        columns = {f"column {number:03}": f"text as column_{number:03}" for number in range(80)}
        feed = IN_POSTGRESQL | {"columns": columns}
        text = message(feeds={"vendors": feed | {"database_ca": CERTIFICATE}})
        assert text.startswith("feeds.vendors: the environment of the function would have up to 4,")
        assert "shorten the largest settings, columns (2,880), database_ca (" in text

    def test_of_a_stage_is_checked_like_any_other(self) -> None:
        stages = {"prod": {"feeds": {"orders": {"destination": "postgresql"}}}}
        assert message(feeds={"orders": ORDERS}, stages=stages).startswith("stages.prod: feeds.orders.database_host, ")


class TestLedger:
    def test_keeps_what_is_in_the_bucket(self) -> None:
        feeds = {"orders": ORDERS | {"keep_uploads_days": 50}}
        assert message(feeds=feeds, keep_files_days=129) == (
            "keep_files_days=129: uploads of the feed orders can be in the bucket for 100 days, and S3 deletes them "
            "with delay: set at least 130, or lower its keep_uploads_days"
        )
        assert message(feeds={"orders": ORDERS}, keep_files_days=130) == (
            "keep_files_days=130: the feed orders keeps its uploads for ever: give it keep_uploads_days"
        )


class TestRowsTable:
    """A table of DynamoDB that the settings name."""

    @pytest.mark.parametrize(("name", "value"), [("file_index", True), ("max_write_units", 5)])
    def test_is_not_changed_by_the_deployment(self, name: str, value: Any) -> None:
        expected = f"{name}: it is for the deployment's own table: with rows_table, set it at that table yourself"
        assert message(feeds={"orders": ORDERS | {"rows_table": "Rows", name: value}}) == f"feeds.orders.{expected}"
        assert message(**{"rows_table": "Rows", name: value}) == expected

    def test_is_that_of_one_feed(self) -> None:
        both = {"orders": ORDERS, "others": {"key_prefix": "others/"}}
        assert message(feeds=both, rows_table="Rows") == (
            "feeds orders and others: both have rows_table=Rows: give each feed its own"
        )


@pytest.mark.parametrize("name", ["vpc_endpoints", "route_tables"])
def test_endpoints_are_made_by_the_owner_of_the_vpc(name: str) -> None:
    assert message(**{name: "vpc-0a1b2c3d"}).startswith(f"unknown setting {name}: remove it, and create the endpoints ")


def numbered(count: int) -> dict[str, dict[str, Any]]:
    return {f"feed-{number:02}": {"key_prefix": f"feed-{number:02}/"} for number in range(count)}


class TestColumns:
    @pytest.mark.parametrize(
        "columns",
        [
            {each: each for each in ("text", "integer", "decimal", "boolean", "date", "timestamp")},
            {"Preis": "decimal required as price"},
            {"Preis": "decimal as price", "price": "text as price_text"},
            {"line": "integer as row_number", "x" * 63: "text"},
            {"Größe (cm)": " integer  required  as  size "},
        ],
    )
    def test_are_declared_as_they_are_given(self, columns: dict[str, str]) -> None:
        assert declared(columns=columns) == {name: " ".join(notation.split()) for name, notation in columns.items()}

    @pytest.mark.parametrize(
        ("columns", "expected"),
        [
            ({"price": "number"}, "column 'price': 'number' is not a type: write one of text, integer, decimal, "),
            *(
                ({"price": wrong}, f"column 'price': {wrong!r} is not a type")
                for wrong in ("", "decimal as", "decimal as x required", "decimal as a b", "as x", 5, None)
            ),
            ({"": "text"}, "column '' ('text') has an empty name: write its name"),
            (
                {"Preis €": "decimal"},
                "column 'Preis €' cannot be stored as 'Preis €': add \"as\" and a name of letters",
            ),
            ({"x" * 64: "text"}, f"column '{'x' * 64}' cannot be stored as "),
            ({"2x": "text"}, "column '2x' cannot be stored as '2x': add "),
            ({"price": "text as 2x"}, "column 'price' cannot be stored as '2x': add "),
            ({"line": "integer"}, "column 'line' cannot be stored as 'line', which every row has already: add "),
            ({"price": "text as pk"}, "column 'price' cannot be stored as 'pk', which every row has already: add "),
            ({"etag": "text"}, "column 'etag' cannot be stored as 'etag', which "),
            ({"data": "text"}, "column 'data' cannot be stored as 'data', which "),
            (
                {"Preis": "decimal as price", "price": "text"},
                "columns 'Preis' and 'price' would both be stored as 'price': add \"as\" and another name",
            ),
            (
                {"a": {"type": "day"}},
                'column \'a\': {"type": "day"} is not a declaration: write one of text, integer, ',
            ),
            ({"a": {"type": "date", "form": "x"}}, "column 'a': {"),
            ({"a": {"type": "date", "required": "yes"}}, "column 'a': {"),
            (
                {"a": {"type": "text", "format": "%Y"}},
                "column 'a': a format is for a date or a timestamp, not ",
            ),
            (
                {"a": {"type": "decimal", "format": "%Y%j"}},
                "column 'a': a format is for a date or a timestamp, not for ",
            ),
            ({"a": {"type": "date", "format": "%Y%j %H"}}, "column 'a': '%Y%j %H' has hours, and a date has none: "),
            ({"a": {"type": "date", "timezone": "UTC"}}, "column 'a': a timezone is for a timestamp, not for date: "),
            (
                {"a": {"type": "timestamp", "timezone": "Mars"}},
                "column 'a': setting timezone='Mars': allowed is the IANA",
            ),
        ],
    )
    def test_that_cannot_be_stored_are_refused_with_advice(self, columns: Any, expected: str) -> None:
        assert message(feeds={"orders": {"columns": columns}}).startswith(f"setting feeds.orders.columns: {expected}")

    @given(
        st.dictionaries(st.text(max_size=9), st.from_regex(r"(text|date)( required)?( as \w{1,5})?", fullmatch=True))
    )
    def test_can_be_given_again_as_shown_or_are_refused(self, columns: dict[str, str]) -> None:
        try:
            once = declared(columns=columns)
        except InvalidSetting:
            return
        assert once == columns
        assert declared(columns=json.dumps(once)) == columns


def declared(**context: Any) -> dict[str, Any]:
    [feed] = settings_from_context(context).feeds
    return {column.name: column.declaration for column in feed.format.columns}
