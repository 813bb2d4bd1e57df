"""The names that the infrastructure and the functions share, without importing each other."""

import importlib
from typing import get_args

from csv_ingest import ledger, reporting
from csv_ingest.configuration import LOGGING_VARIABLES, IngestConfig, SweepConfig
from csv_ingest.destinations import dynamodb as rows
from stacks import contract as stack_side
from tests.infrastructure.conftest import EACH_FUNCTION, FUNCTION, INGEST, SWEEP, TABLE, Synthesized

VARIABLES = {
    "csv_ingest.handler.handler": {*IngestConfig.variables(), *LOGGING_VARIABLES},
    "csv_ingest.sweep.handler": {*SweepConfig.variables(), *LOGGING_VARIABLES},
}
"""What the function's side reads."""


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
    deployed = [table["Properties"]["KeySchema"] for table in stack.all(TABLE).values()]
    assert [tuple(key["AttributeName"] for key in schema) for schema in deployed] == list(keys)


def test_every_metric_in_use_is_published() -> None:
    assert set(get_args(stack_side.Metric)) <= set(get_args(reporting.Metric))
