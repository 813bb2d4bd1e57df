"""What PostgreSQL needs that can be seen without a server."""

import subprocess
import sys
from decimal import Decimal
from urllib.parse import parse_qsl

import boto3
import pytest

from csv_ingest.destinations import postgresql_values
from csv_ingest.destinations.postgresql import MAX_KEY, PostgresqlDestination
from csv_ingest.model import Column, Database, Deadline, Integer, Origin, Row
from csv_ingest.modes import APPEND
from csv_ingest.postgresql import login as postgresql_login
from csv_ingest.postgresql.connection import PostgresqlConnection
from csv_ingest.postgresql.login import iam_token
from csv_ingest.postgresql.session import AUTHORITIES
from local.processes import PROJECT

DATABASE = Database("db.example.com", 5433, "erp", "csv_ingest", "", "")
COLUMNS = [Column("Menge", "integer", False, "quantity"), Column("Preis", "decimal", False, "price")]


@pytest.fixture
def destination() -> PostgresqlDestination:
    """One that makes no connection."""
    connection = PostgresqlConnection(DATABASE, deadline=Deadline.never())
    return PostgresqlDestination(connection, "vendors", COLUMNS, APPEND)


def test_the_token_is_the_one_that_boto3_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "SESSION_TOKEN": "c"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    postgresql_login._session.cache_clear()
    moment = ""
    while True:  # until both are signed in one second
        own = iam_token(DATABASE)
        expected = boto3.Session().client("rds").generate_db_auth_token("db.example.com", 5433, "csv_ingest")
        if (moment := dict(parse_qsl(own))["X-Amz-Date"]) == dict(parse_qsl(expected))["X-Amz-Date"]:
            break
    postgresql_login._session.cache_clear()
    assert moment
    assert own == expected


def test_other_feeds_do_not_import_the_driver() -> None:
    """It takes a tenth of a second of a cold start."""
    code = "import csv_ingest.handler, sys; sys.exit(any(n.startswith('pg8000') for n in sys.modules))"
    environment = {"PYTHONPATH": "lambda", "POWERTOOLS_SERVICE_NAME": "x", "POWERTOOLS_METRICS_NAMESPACE": "x"}
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, env=environment, check=False).returncode == 0


def test_the_authorities_are_in_the_package() -> None:
    assert AUTHORITIES.read_text().count("BEGIN CERTIFICATE") > 80


@pytest.mark.parametrize(
    ("quantity", "refused"),
    [("9223372036854775807", False), ("9223372036854775808", True), ("-9223372036854775809", True)],
)
def test_an_integer_of_more_than_64_bits_is_refused(
    destination: PostgresqlDestination, quantity: str, refused: bool
) -> None:
    row = Row(2, "1", "{}", {"quantity": Integer(quantity), "price": Decimal("1e125")})
    reason = destination.refusal(Origin("e" * 32), row)
    assert bool(reason) == refused
    assert quantity not in str(reason)


@pytest.mark.parametrize("excess", [0, 1])
def test_the_longest_id_is_stored(destination: PostgresqlDestination, excess: int) -> None:
    id_ = "é" * ((MAX_KEY - 33) // 2) + "x" * ((MAX_KEY - 33) % 2 + excess)
    assert bool(destination.refusal(Origin("e" * 32), Row(2, id_, "{}"))) == bool(excess)


@pytest.mark.parametrize("text", ["9" * 5_000, "0." + "0" * 5_000 + "1", "NaN", "-Infinity"])
def test_a_number_of_no_file_is_a_text(text: str) -> None:
    """Somebody else has put it there: no row of a file equals it."""
    assert postgresql_values._number(text) == text


@pytest.mark.parametrize("text", ["9" * 38 + "0" * 88, "0." + "0" * 92 + "9" * 38, "-1.50"])
def test_every_number_of_a_file_is_read_back(text: str) -> None:
    assert postgresql_values._number(text) == Decimal(text)
