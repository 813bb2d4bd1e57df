"""What a user writes after `-c`, or into cdk.json."""

from dataclasses import replace
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from csv_ingest.feed import Feed
from csv_ingest.model import FileFormat
from stacks.__main__ import main
from stacks.context import InvalidSetting, settings_from_context
from stacks.setting_types import TAGS
from stacks.settings import DEPLOYMENT_SETTINGS, FEED_SETTINGS, Settings
from tests.infrastructure.conftest import CERTIFICATE, KEY, POSTGRESQL, SECRET_ARN

BOUNDARY = "arn:aws:iam::123456789012:policy/teams/Boundary"

OF_RDS = SECRET_ARN.replace("vendors", "rds!cluster-0a1b2c3d-1111-2222-3333-444455556666")
"""The secret that RDS makes and rotates by itself."""


def of_one_feed(*, stage: str = "dev", **settings: Any) -> Settings:
    """The settings of a deployment without `feeds`, with some settings of its one feed."""
    return Settings(stage=stage, feeds=(Feed.of_settings("default", settings),))


MEANT: dict[str, list[tuple[Any, Any]]] = {
    "stage": [("prod", "prod")],
    "id_column": [("nr", "nr"), ("Order No", "Order No"), (["order", "nr"], ("order", "nr"))],
    "delimiter": [(";", ";"), ("tab", "\t"), ("semicolon", ";")],
    "decimal_separator": [("point", "."), ("comma", ",")],
    "columns": [
        ('{"price": "decimal"}', {"price": "decimal"}),
        ({"Preis": "decimal  required as price"}, {"Preis": "decimal required as price"}),
    ],
    "encoding": [("UTF-8", "utf-8"), ("latin-1", "iso8859-1"), ("utf-8-sig", "utf-8"), ("utf-16-be", "utf-16-be")],
    "header": [(7, "7"), ("first", "first"), ("search", "search")],
    "header_match": [("loose", "loose")],
    "footer_records": [("2", 2), (100, 100)],
    "known_columns": [(["id", "name"], ("id", "name")), ('["id"]', ("id",))],
    "null_values": [(["NULL", "n/a", "-"], ("NULL", "n/a", "-")), ("NULL", ("NULL",))],
    "date_format": [("%d.%m.%Y", ("%d.%m.%Y",)), (["%Y%m%d", "%-d.%-m.%y"], ("%Y%m%d", "%-d.%-m.%y"))],
    "timestamp_format": [("unix_ms", ("unix_ms",)), ("%Y-%m-%dT%H:%M%z", ("%Y-%m-%dT%H:%M%z",))],
    "timezone": [("Europe/Berlin", "Europe/Berlin"), ("UTC", "UTC")],
    "grouping_separator": [("comma", ","), ("space", " "), ("apostrophe", "'"), ("none", "")],
    "number_style": [("accounting", "accounting")],
    "affixes": [(["€", "Fr."], ("€", "Fr."))],
    "true_values": [(["J"], ("J",))],
    "false_values": [('["N", "nein"]', ("N", "nein"))],
    "quote": [("'", "'"), ("none", "")],
    "escape": [("\\", "\\"), ("none", "")],
    "trim": [("true", True), (True, True)],
    "short_rows": [("fill", "fill")],
    "key_prefix": [("in/", "in/")],
    "key_suffixes": [(".csv", (".csv",)), (".csv, .TXT", (".csv", ".TXT")), ([".csv", ".tsv"], (".csv", ".tsv"))],
    "timeout_seconds": [("900", 900), (60, 60)],
    "memory_mb": [("1024", 1024)],
    "reserved_concurrency": [("5", 5), ("none", None), (None, None)],
    "max_write_units": [("4000", 4000)],
    "warm_write_units": [("40000", 40000)],
    "file_index": [("false", False), (False, False)],
    "alarm_email": [("oncall@example.com", "oncall@example.com")],
    "log_retention_days": [("30", 30)],
    "existing_bucket": [("uploads.example-1", "uploads.example-1")],
    "ignored_prefixes": [
        ("reports/, dt=2026/Größe ", ("reports/", "dt=2026/Größe")),
        (["reports/", "tmp/"], ("reports/", "tmp/")),
    ],
    "kms_key": [(KEY, KEY), ("none", None)],
    "former_kms_keys": [(KEY, (KEY,))],
    "permissions_boundary": [(BOUNDARY, BOUNDARY)],
    "tags": [
        ("team=orders, cost centre=4/2", (("team", "orders"), ("cost centre", "4/2"))),
        ({"team": "orders", "empty": ""}, (("team", "orders"), ("empty", ""))),
    ],
}
"""What is given for a setting, and what that means."""


@pytest.mark.parametrize(("key", "given", "meant"), [(key, *case) for key, cases in MEANT.items() for case in cases])
def test_a_setting_comes_from_command_line_or_cdk_json(key: str, given: Any, meant: Any) -> None:
    expected = replace(Settings(), **{key: meant}) if key in DEPLOYMENT_SETTINGS else of_one_feed(**{key: meant})
    assert settings_from_context({key: given}) == expected


MEANT_IN_POSTGRESQL: dict[str, list[tuple[Any, Any]]] = {
    "database_host": [("db.example.internal", "db.example.internal")],
    "database_port": [("5433", 5433)],
    "database_name": [("ERP-2", "ERP-2")],
    "database_user": [("csv_ingest", "csv_ingest")],
    "database_table": [("erp.vendors", "erp.vendors")],
    "database_resource_id": [
        ("db-ABCDEFGHIJKL01234", "db-ABCDEFGHIJKL01234"),
        ("prx-0a1b2c3d4e5f60718", "prx-0a1b2c3d4e5f60718"),
    ],
    "database_secret": [(SECRET_ARN, SECRET_ARN), (OF_RDS, OF_RDS)],
    "database_ca": [
        (CERTIFICATE, CERTIFICATE.strip()),
        (CERTIFICATE.replace("\n", "\r\n") * 2, (CERTIFICATE * 2).strip()),
    ],
    "subnets": [("subnet-0a1b2c3d, subnet-0a1b2c3d4e5f60718", ("subnet-0a1b2c3d", "subnet-0a1b2c3d4e5f60718"))],
    "security_groups": [(["sg-0a1b2c3d"], ("sg-0a1b2c3d",))],
}
"""The same for the settings of a PostgreSQL feed."""


@pytest.mark.parametrize(
    ("key", "given", "meant"), [(key, *case) for key, cases in MEANT_IN_POSTGRESQL.items() for case in cases]
)
def test_a_setting_of_postgresql_holds_for_all_feeds(key: str, given: Any, meant: Any) -> None:
    logins = {"database_resource_id", "database_secret"}
    own = {name: POSTGRESQL[name] for name in POSTGRESQL.keys() - (logins if key in logins else {key})}
    [feed] = settings_from_context({"feeds": {"vendors": own}, key: given}).feeds
    assert getattr(feed, key) == meant


INVALID: dict[str, list[Any]] = {
    "stage": ["Prod", "", "a" * 21],
    "id_column": ["", "@row", {"a": "b"}, None, "x" * 256, ["a", "a"], [], ["a", ""]],
    "delimiter": ["", "::", '"', "\n"],
    "decimal_separator": [";"],
    "columns": ["price=decimal", ["price"], None],
    "encoding": ["utf-9", "hex", "unicode_escape", "utf-7"],
    "header": ["0", -1, "second", True, "07"],
    "header_match": ["Loose"],
    "footer_records": [101, -1, "all"],
    "known_columns": [["a", "a"], [1], "[1]", {"a": 1}],
    "null_values": [["", "NULL"], ["a", "a"], 5],
    "timezone": ["Berlin", "../etc/passwd", "europe/berlin", "CEST"],
    "grouping_separator": ["underscore", "  "],
    "number_style": ["german"],
    "quote": ["''", "a", " ", "“"],
    "escape": ["\\\\", "\n", "e"],
    "trim": ["yes", 1],
    "short_rows": ["pad"],
    "key_prefix": ["My Uploads/", None, "in*/"],
    "key_suffixes": [
        "",
        "csv",
        ".csv,.csv",
        ".csv,.orders.csv",
        [1],
        [".csv,.tsv"],
        ",".join(f".x{number:02}" for number in range(21)),
    ],
    "timeout_seconds": ["901", "half a minute", "29.5"],
    "memory_mb": ["128", [512]],
    "reserved_concurrency": ["0", "-1"],
    "max_write_units": ["0"],
    "warm_write_units": ["3999"],
    "file_index": ["yes", None],
    "alarm_email": ["oncall"],
    "log_retention_days": ["15"],
    "existing_bucket": ["My_Bucket", "arn:aws:s3:::uploads", "a..b", "192.168.1.1", "orders--use1-az4--x-s3"],
    "ignored_prefixes": ["", "reports/,", "reports/,reports/", "re\tports/", None],
    "former_kms_keys": ["alias/uploads", f"{KEY},{KEY}"],
    "kms_key": ["alias/uploads", "11111111-2222-3333-4444-555555555555"],
    "permissions_boundary": ["Boundary"],
    "tags": [
        "team",
        "aws:team=orders",
        "team=orders,team=sales",
        "team=<orders>",
        "Team=orders,team=sales",
        "AWS:team=orders",
        ",".join(f"t{number}=x" for number in range(41)),
        [1],
        {"team": "orders,cost=42"},
        {"team": None},
        {"a": 1},
    ],
    "destination": ["PostgreSQL", None],
    "database_host": [
        "https://db.example.com",
        "db.example.com:5432",
        "db..example.com",
        "db-.example.com",
        f"{'a' * 64}.example.com",
    ],
    "database_port": ["0", "65536"],
    "database_name": ["a/b"],
    "database_user": ["*", "a" * 64],
    "database_table": ["Vendors", "a.b.c", 'vendors"', "v" * 64],
    "database_resource_id": ["vendors", "db-vendors-prod", "*"],
    "database_secret": ["vendors", SECRET_ARN.removesuffix("-AbCdEf"), SECRET_ARN.replace("vendors", "*")],
    "database_ca": [
        "/etc/ssl/ca.pem",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n" + CERTIFICATE,
        CERTIFICATE * 4,
    ],
    "subnets": [
        "",
        "vendors",
        "subnet-0a1b2c3d,subnet-0a1b2c3d",
        ",".join(f"subnet-0a1b2c{number}" for number in range(10, 27)),
    ],
    "security_groups": [",".join(f"sg-0a1b2c{number}" for number in range(10, 16))],
}
"""What is not allowed for a setting."""


@pytest.mark.parametrize(("key", "given"), [(key, given) for key, values in INVALID.items() for given in values])
def test_an_invalid_setting_names_key_and_allowed_values(key: str, given: Any) -> None:
    with pytest.raises(InvalidSetting) as error:
        settings_from_context({key: given})
    assert f"setting {key}={given!r}: allowed is " in str(error.value)


JSON_VALUES: dict[type, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(),
    float: st.floats(),
    list: st.lists(st.text() | st.integers()),
    dict: st.dictionaries(st.text(), st.text() | st.none()),
    type(None): st.none(),
}
"""What cdk.json can have, by type, beside text."""


SPECIAL: dict[str, set[type]] = {
    "columns": {dict},
    "tags": {dict},
    "max_rejected": {int, type(None)},
    "id_column": {list},
    "header": {int},
}
"""The types of settings whose field holds text made of another type."""


def json_types_of(name: str) -> set[type]:
    """The types in which cdk.json can have a setting beside text, as the field of the settings says."""
    if name in SPECIAL:
        return SPECIAL[name]
    declared = (get_type_hints(Settings) | get_type_hints(Feed) | get_type_hints(FileFormat))[name]
    return {list} if get_origin(declared) is tuple else {declared, *get_args(declared)} & JSON_VALUES.keys()


@given(st.data())
def test_no_setting_takes_another_type_of_json(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([*DEPLOYMENT_SETTINGS, *FEED_SETTINGS]))
    wrong = JSON_VALUES.keys() - json_types_of(name)
    value = data.draw(st.sampled_from(sorted(wrong, key=str)).flatmap(JSON_VALUES.__getitem__))
    context: dict[str, Any] = {name: value}
    if name in FEED_SETTINGS and data.draw(st.booleans()):
        context = {"feeds": {"orders": context}}
    with pytest.raises(InvalidSetting) as error:
        settings_from_context(context)
    assert f"{name}={value!r}: allowed is " in str(error.value)
    assert "(in cdk.json text" in str(error.value)


@pytest.mark.parametrize(
    ("key", "given", "types"),
    [
        ("id_column", 5, "text, or a list of text"),
        ("memory_mb", True, "text, or a whole number"),
        ("memory_mb", 512.0, "text, or a whole number"),
        ("reserved_concurrency", 1.5, "text, or a whole number, or null"),
        ("file_index", 1, "text, or true or false"),
        ("key_suffixes", {".csv": 1}, "text, or a list of text"),
        ("tags", ["a=b"], "text, or an object"),
    ],
)
def test_another_type_of_json_is_told_with_its_own(key: str, given: Any, types: str) -> None:
    with pytest.raises(InvalidSetting, match=rf"^setting {key}=.*: allowed is .* \(in cdk.json {types}\)$"):
        settings_from_context({key: given})


def test_a_misspelt_setting_is_an_error() -> None:
    with pytest.raises(
        InvalidSetting, match=r"unknown setting timeout_second, did you mean timeout_seconds\? There are: stage, "
    ):
        settings_from_context({"timeout_second": "60"})
    with pytest.raises(InvalidSetting, match=r"unknown setting weather\. There are: stage, alarm_email, "):
        settings_from_context({"weather": "blue"})


def test_context_of_the_cdk_itself_is_ignored() -> None:
    context = {
        "aws:cdk:bundling-stacks": [],
        "@aws-cdk/core:checkSecretUsage": True,
        "availability-zones:x": [],
        "acknowledged-issue-numbers": [12345],
        "cli-telemetry": False,
    }
    assert settings_from_context(context) == Settings()


class TestStages:
    """Settings of single stages, in cdk.json."""

    STAGES: ClassVar = {"prod": {"alarm_email": "oncall@example.com"}, "qa": {"memory_mb": 1024}}

    def test_hold_for_their_stage_only(self) -> None:
        context = {"stages": self.STAGES, "timeout_seconds": 60}
        assert settings_from_context({**context, "stage": "prod"}) == replace(
            of_one_feed(stage="prod", timeout_seconds=60), alarm_email="oncall@example.com"
        )
        assert settings_from_context({**context, "stage": "other"}) == of_one_feed(stage="other", timeout_seconds=60)
        assert settings_from_context(context) == of_one_feed(timeout_seconds=60)

    @pytest.mark.parametrize(
        ("stages", "message"),
        [
            ({"prod": {"memory_mb": 1}}, "setting stages.prod.memory_mb=1: allowed is "),
            ({"prod": {"memory": 1}}, "unknown setting stages.prod.memory, did you mean memory_mb?"),
            ({"prod": {"stage": "qa"}}, "unknown setting stages.prod.stage"),
            ({"Prod": {}}, "setting stages: stage='Prod': allowed is "),
            ({"prod": "memory_mb=1024"}, "setting stages.prod='memory_mb=1024': allowed is an object in cdk.json"),
            ("prod", "setting stages='prod': allowed is an object in cdk.json"),
        ],
    )
    def test_are_checked_even_if_another_stage_is_deployed(self, stages: Any, message: str) -> None:
        with pytest.raises(InvalidSetting) as error:
            settings_from_context({"stages": stages})
        assert str(error.value).startswith(message)

    def test_that_are_also_set_outside_are_an_error(self) -> None:
        with pytest.raises(InvalidSetting, match="memory_mb: set for the stage qa and outside of it"):
            settings_from_context({"stages": self.STAGES, "stage": "qa", "memory_mb": "512"})


def shown(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_every_setting_is_shown_with_value_and_documentation() -> None:
    done = shown("-c", "stage=prod", "-c", "id_column=a=b", "-c", "delimiter=tab")
    assert done.exit_code == 0
    assert done.output.startswith("The settings of CsvIngest-prod:\n\nstage=prod  (default: dev)\n")
    assert "\n\nid_column=a=b  (default: id)\n    The column that identifies a row" in done.output
    assert "\n\ndelimiter=tab  (default: ,)\n" in done.output
    assert "\n\nmemory_mb=512\n" in done.output
    for setting in (DEPLOYMENT_SETTINGS | FEED_SETTINGS).values():
        first_words = setting.metadata["doc"].partition("[")[0]
        assert f"\n    {first_words}" in done.output
        assert f"\n    Allowed: {setting.metadata['type'].allowed}.\n" in done.output
    assert "](" not in done.output, "links are for the page"


def test_an_invalid_setting_is_shown_as_by_synthesis() -> None:
    done = shown("-c", "memory_mb=1")
    assert done.exit_code == 1
    assert done.output == "csv-ingest: setting memory_mb='1': allowed is a whole number from 256 to 10,240\n"


@given(st.from_regex(r"[a-z]{1,9}=[a-z0-9=/]{0,9}(,[0-9]{1,9}=[a-z]{0,9})?", fullmatch=True))
def test_a_shown_value_can_be_given_again(tags: str) -> None:
    assert TAGS.to_text(settings_from_context({"tags": tags}).tags) == tags


def test_what_feeds_share_is_shown_once() -> None:
    feeds = (
        '{"orders": {"key_prefix": "orders/"}, "vendors": {"key_prefix": "vendors/", "columns": {"a b": "date as c"}}}'
    )
    done = shown("-c", f"feeds={feeds}", "-c", "id_column=@line", "-c", "header=first")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("The settings of CsvIngest, with the feeds orders, vendors:\n\nstage=dev\n")
    assert "\n\nid_column=@line  (default: id)\n    The column" in done.output
    assert "\n\nfeeds.orders.key_prefix=orders/  (default: )\nfeeds.vendors.key_prefix=vendors/  " in done.output
    assert '\nfeeds.orders.columns={}\nfeeds.vendors.columns={"a b":"date as c"}  (default: {})\n' in done.output
