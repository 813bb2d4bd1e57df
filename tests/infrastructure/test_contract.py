"""The names that the infrastructure and the functions share, without importing each other."""

import importlib
import json
import tomllib
from typing import Any, get_args

import pytest

from csv_ingest import RELEASE, ledger, reporting
from csv_ingest.configuration import LOGGING_VARIABLES, Database, IngestConfig, NotConfigured, SweepConfig, SweptFeed
from csv_ingest.csvfile import cells
from csv_ingest.destinations import dynamodb as rows
from csv_ingest.destinations import postgresql
from csv_ingest.file_format import LINE_AS_ID, Column
from csv_ingest.intake import Intake, Taker
from local.processes import PROJECT
from stacks import columns
from stacks import contract as stack_side
from stacks.context import InvalidSetting, settings_from_context
from stacks.environments import SharedNames, ingest_environment, sweep_environment
from stacks.feed_settings import FeedSettings
from stacks.settings import Settings
from tests.infrastructure.conftest import EACH_FUNCTION, FUNCTION, INGEST, POSTGRESQL, SWEEP, TABLE, Synthesized

VARIABLES = {
    "csv_ingest.handler.handler": {*IngestConfig.variables(), *LOGGING_VARIABLES},
    "csv_ingest.sweep.handler": {*SweepConfig.variables(), *LOGGING_VARIABLES},
}
"""What the function's side reads."""


def test_every_place_names_the_same_release(stack: Synthesized) -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    functions = [stack.only(FUNCTION, each)["Properties"]["Environment"]["Variables"] for each in (INGEST, SWEEP)]
    places = [
        stack.template["Outputs"]["Release"]["Value"],
        project["version"],
        *(each["RELEASE"] for each in functions),
    ]
    assert set(places) == {RELEASE}


def test_each_handler_reads_the_variables_it_is_given() -> None:
    logging = set(stack_side.LoggingEnvironment.__annotations__)
    given = {
        stack_side.INGEST_HANDLER: set(stack_side.IngestEnvironment.__annotations__) | logging,
        stack_side.SWEEP_HANDLER: set(stack_side.SweepEnvironment.__annotations__) | logging,
    }
    assert given == VARIABLES
    for handler in given:
        module, _, name = handler.rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))


@EACH_FUNCTION
def test_each_function_is_deployed_with_its_variables(stack: Synthesized, function: str) -> None:
    properties = stack.only(FUNCTION, function)["Properties"]
    handler = {INGEST: "csv_ingest.handler.handler", SWEEP: "csv_ingest.sweep.handler"}[function]
    assert properties["Handler"] == handler
    assert set(properties["Environment"]["Variables"]) == VARIABLES[handler]


def test_the_tables_have_the_functions_keys(stack: Synthesized) -> None:
    keys = (stack_side.ROWS_KEY, stack_side.FILES_KEY)
    assert keys == (rows.KEY, ledger.KEY)
    assert stack_side.ROWS_INDEX == rows.INDEX
    deployed = [table["Properties"]["KeySchema"] for table in stack.all(TABLE).values()]
    assert [tuple(key["AttributeName"] for key in schema) for schema in deployed] == list(keys)


def test_both_sides_know_the_same_types() -> None:
    assert set(columns.TYPES) == set(cells.CONVERTERS)


@pytest.mark.parametrize(
    ("declaration", "expected"),
    [
        ("decimal", Column("Preis", "decimal", False, "Preis")),
        (" integer  required ", Column("Preis", "integer", True, "Preis")),
        ("text as price", Column("Preis", "text", False, "price")),
        ("date required as day_1", Column("Preis", "date", True, "day_1")),
    ],
)
def test_the_function_reads_the_columns_it_is_given(declaration: str, expected: Column) -> None:
    text = columns.parse(json.dumps({"Preis": declaration}))
    variables = dict.fromkeys(IngestConfig.variables(), "") | {"COLUMNS": text}
    assert IngestConfig.from_environment(variables).format.columns == (expected,)


def test_no_column_can_take_the_place_of_an_attribute() -> None:
    for name in rows.RESERVED:
        with pytest.raises(columns.InvalidColumn, match=name):
            columns.parse(json.dumps({name: "text"}))


@pytest.mark.parametrize("database", [{}, POSTGRESQL], ids=["dynamodb", "postgresql"])
def test_no_column_can_take_the_place_of_the_upload(database: dict[str, Any]) -> None:
    assert stack_side.UPLOADED == rows.UPLOADED == postgresql.UPLOADED
    context = {**database, "columns": {"Tag": f"date as {rows.UPLOADED}"}}
    settings_from_context(context)
    with pytest.raises(InvalidSetting, match="columns: column 'Tag' cannot be stored as 'uploaded'"):
        settings_from_context({**context, "write_mode": "merge"})


def test_a_merging_feed_needs_ids_of_its_own() -> None:
    assert stack_side.LINE_AS_ID == LINE_AS_ID
    settings_from_context({"id_column": LINE_AS_ID})
    with pytest.raises(InvalidSetting, match="id_column=@line: in a feed that merges"):
        settings_from_context({"id_column": LINE_AS_ID, "write_mode": "merge"})


@pytest.mark.parametrize("name", postgresql.RESERVED)
def test_no_column_takes_the_place_of_one_in_postgresql(name: str) -> None:
    with pytest.raises(InvalidSetting, match=name):
        settings_from_context({**POSTGRESQL, "columns": {"Preis": f"decimal as {name}"}})


def test_the_function_reads_the_database_it_is_given() -> None:
    settings = settings_from_context({"feeds": {"vendors": POSTGRESQL}})
    shared = SharedNames(bucket="b", files="t", failures="q")
    [feed] = settings.feeds
    given = ingest_environment(feed, shared, rows="vendors")
    read = IngestConfig.from_environment({name: str(value) for name, value in given.items()})
    assert (read.rows_table, read.postgresql) == (
        "vendors",
        Database(POSTGRESQL["database_host"], 5432, POSTGRESQL["database_name"], POSTGRESQL["database_user"], "", ""),
    )


def test_the_sweep_reads_the_feeds_it_is_given() -> None:
    orders = FeedSettings(name="orders", key_prefix="orders/", key_suffixes=(".csv",), write_mode="merge")
    settings = Settings(feeds=(FeedSettings(), orders), ignored_prefixes=("reports/", "Größe "), existing_bucket="b-1")
    shared = SharedNames(bucket="b", files="t", failures="q")
    functions = {"default": "ingest", "orders": "ingest-orders"}
    given = sweep_environment(settings, shared, functions=functions, to_json=json.dumps)
    read = SweepConfig.from_environment({name: str(value) for name, value in given.items()})
    assert read.swept_feeds == [
        SweptFeed("ingest", "", [".csv", ".CSV", ".csv.gz"]),
        SweptFeed("ingest-orders", "orders/", [".csv"], merges=True),
    ]
    assert read.intake == Intake(
        takers=[Taker("default", "", [".csv", ".CSV", ".csv.gz"]), Taker("orders", "orders/", [".csv"])],
        ignored_prefixes=["reports/", "Größe "],
        existing_bucket=True,
    )


def test_the_sweep_runs_with_an_older_releases_environment() -> None:
    """For seconds of a deployment its code is newer; it must not take others' objects for its own then."""
    older = {"UPLOAD_BUCKET": "b", "FILES_TABLE": "t", "FAILURE_QUEUE": "q", "FEEDS": "{}"}
    intake = SweepConfig.from_environment(older).intake
    assert (intake.ignored_prefixes, intake.existing_bucket) == ([], True)
    del older["FILES_TABLE"]
    with pytest.raises(NotConfigured, match="FILES_TABLE"):
        SweepConfig.from_environment(older)


def test_every_metric_in_use_is_published() -> None:
    assert set(get_args(stack_side.Metric)) <= set(get_args(reporting.Metric))
