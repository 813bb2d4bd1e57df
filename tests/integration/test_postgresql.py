"""A real PostgreSQL server that dies, refuses, is slow or lies: the rows are those of the file, or somebody is told."""

import gc
import json
import os
import random
import signal
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import count
from typing import Any

import boto3
import pytest

from csv_ingest import clients
from csv_ingest.configuration import IngestConfig
from csv_ingest.destinations.opening import open_destination
from csv_ingest.model import Database, Deadline, ItemsNotRead, Origin, OutOfTime, Row, RowsNotWritten, Tuning
from csv_ingest.modes import APPEND
from csv_ingest.postgresql.connection import PostgresqlConnection
from csv_ingest.row_store import RowStore
from local.deployment import TableRow
from local.examples import expected_rows
from local.postgresql import LocalPostgresql, local_postgresql
from local.waiting import wait_until
from ops.audit import audit
from tests.integration.faults import Calls, between_calls
from tests.integration.invoking import metrics_in, version_of
from tests.integration.relay import relay_to
from tests.integration.settings import PASSWORD, feed_now, set_feed
from tests.integration.world import World, fresh_world

FILE = "id,name\n" + "".join(f"{n},secret value {n}\n" for n in range(300))
IN_SMALL_REQUESTS = Tuning(batch_rows=10, checkpoint_rows=50)


def countdown(seconds: float) -> Iterator[float]:
    """The time that Lambda says is left."""
    end = time.monotonic() + seconds
    while True:
        yield end - time.monotonic()


@pytest.fixture
def world(postgresql: LocalPostgresql) -> Iterator[World]:
    with fresh_world(IN_SMALL_REQUESTS, postgresql=postgresql) as made:
        yield made


def database() -> Database:
    found = feed_now().database
    assert found
    return found


def assert_whole(world: World, event: Any) -> None:
    stored = {pk: TableRow.of(item) for pk, item in world.tables()[0].items()}
    assert stored == expected_rows(FILE.encode(), version_of(event).etag)
    record = world.file("a.csv")
    assert (record["status"], record["rows_read"], record["rows_stored"]) == ("COMPLETE", 300, 300)


def test_a_server_killed_ten_times_loses_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POSTGRESQL_DSN", raising=False)  # whoever named a server wants to keep it
    with local_postgresql() as server, fresh_world(IN_SMALL_REQUESTS, postgresql=server) as world:
        event = world.upload("a.csv", FILE)
        statements = count(1)
        killed: list[int] = []

        def kill(_sql: str) -> None:
            # What it leaves behind still answers for a while.
            if next(statements) % 3 == 0 and len(killed) < 10 and (id_ := server.server_id()) not in killed:
                killed.append(id_)
                os.kill(id_, signal.SIGKILL)

        world.statements.before.append(kill)
        world.tuned(batch_rows=5).deliver(event)
        assert len(killed) == 10
        server.close()  # the connection that was made before
        assert_whole(world, event)
        assert audit(world.pipeline()).findings == []


def test_a_connection_cut_at_any_byte_loses_no_row(world: World, postgresql: LocalPostgresql) -> None:
    event = world.upload("a.csv", FILE)
    world = world.tuned(batch_rows=30, checkpoint_rows=100)
    with relay_to(postgresql.port) as relay:
        set_feed(database_port=relay.port)
        world.deliver(event)
        total = relay.bytes
        for place in range(0, total * 9 // 10, total // 15):
            world.empty()
            relay.bytes, relay.cut_after = 0, place
            world.deliver(event)
            assert relay.cut_after is None, "the connection was not cut"
            assert_whole(world, event)


def test_deliveries_at_once_do_not_wait_for_each_other(world: World) -> None:
    """Four of them store the same rows, in other orders: unsorted, they would be deadlocked."""
    rows = [Row(line, f"{line}", f'{{"id":"{line}"}}') for line in range(2, 3_002)]
    config = IngestConfig.from_environment()

    def store(seed: int) -> int:
        shuffled = random.Random(seed).sample(rows, len(rows))  # noqa: S311
        with closing(open_destination(config, world.dynamodb, deadline=Deadline.never())) as destination:
            rows_of = RowStore(destination, APPEND, origin=Origin("e"), on_duplicate_id=lambda: None)
            return sum(rows_of.store_unordered(shuffled[n : n + 500]).already_present for n in range(0, 3_000, 500))

    with ThreadPoolExecutor(4) as pool:
        present = list(pool.map(store, range(4)))
    assert sum(present) == 3 * 3_000
    assert len(world.tables()[0]) == 3_000


def test_a_delivery_has_one_connection_and_leaves_none(world: World, postgresql: LocalPostgresql) -> None:
    def connections() -> int:
        [[number]] = postgresql.run("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'csv-ingest'")
        return int(number)

    seen: list[int] = []
    world.statements.before.append(lambda _sql: seen.append(connections()))
    world.ingest("a.csv", FILE)
    assert set(seen) == {1}
    wait_until(lambda: connections() == 0, "the server has noticed")


def test_a_redelivery_of_a_complete_file_does_not_connect(world: World) -> None:
    event = world.ingest("a.csv", FILE)
    calls = Calls(*world.engines)
    set_feed(database_port=9)
    world.deliver(event)
    assert calls.names == ["GetItem"]


def test_requests_for_5000_rows_are_few(world: World) -> None:
    world = world.tuned(batch_rows=1_000, checkpoint_rows=1_000)
    calls = Calls(world.statements)
    world.ingest("a.csv", "id\n" + "".join(f"{n}\n" for n in range(5_000)))
    assert calls.names == ["SELECT"] + ["WITH"] * 5 + ["INSERT"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (("REVOKE INSERT ON {0} FROM csv_ingest", ""), "42501.*privilege.*csv-ingest schema --check"),
        (("ALTER TABLE {0} RENAME TO {0}_gone", "ALTER TABLE {0}_gone RENAME TO {0}"), "42P01.*schema --check"),
        (
            ("ALTER TABLE {0} RENAME COLUMN line TO place", "ALTER TABLE {0} RENAME COLUMN place TO line"),
            "42703.*add it to the table",
        ),
        (
            ("ALTER TABLE {0} ADD CONSTRAINT short CHECK (length(data::text) < 9) NOT VALID", ""),
            "23514: constraint short",
        ),
    ],
    ids=["privilege", "table", "column", "constraint"],
)
def test_what_will_not_pass_is_raised_at_once(
    world: World, postgresql: LocalPostgresql, capsys: pytest.CaptureFixture[str], damage: tuple[str, str], message: str
) -> None:
    sql, undo = damage
    event = world.upload("a.csv", FILE)
    calls = Calls(world.statements)
    with (
        pytest.raises(RowsNotWritten, match=message) as raised,
        between_calls(9, partial(postgresql.run, sql.format(world.rows_table)), world.statements),
    ):
        world.tuned(in_flight=1).deliver(event)
    postgresql.run(undo.format(world.rows_table))
    assert len(calls.names) == 9
    record = world.file("a.csv")
    assert (record["status"], record["rows_read"]) == ("PROCESSING", 70)
    assert "secret value" not in str(raised.value) + capsys.readouterr().out + repr(world.tables()[1])


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("ALTER TABLE {0} ALTER COLUMN data TYPE jsonb", "column data is jsonb and has to be json"),
        ("ALTER TABLE {0} ALTER COLUMN line TYPE integer", "column line is integer and has to be bigint"),
        ("ALTER TABLE {0} DROP COLUMN line", "column line is missing"),
        ("ALTER TABLE {0} RENAME TO {0}_gone", "there is no table"),
    ],
    ids=["json", "line", "no line", "no table"],
)
def test_no_row_goes_to_a_table_of_another_kind(
    world: World, postgresql: LocalPostgresql, sql: str, message: str
) -> None:
    event = world.upload("a.csv", FILE)
    for view in ("complete", "newest"):  # as an owner has to, before a column gets another type
        postgresql.run(f"DROP VIEW {world.rows_table}_{view}")
    postgresql.run(sql.format(world.rows_table))
    calls = Calls(world.statements)
    with pytest.raises(RowsNotWritten, match=f"{message}.*csv-ingest schema --check"):
        world.tuned(in_flight=1).deliver(event)
    assert calls.names == ["SELECT"]
    postgresql.run(f"DROP TABLE IF EXISTS {world.rows_table}_gone")
    postgresql.run(f"CREATE TABLE IF NOT EXISTS {world.rows_table} ()")


PASSING = {
    "ALTER ROLE csv_ingest CONNECTION LIMIT 0": ("ALTER ROLE csv_ingest CONNECTION LIMIT -1", "53300"),
    "ALTER ROLE csv_ingest SET default_transaction_read_only = on": (
        "ALTER ROLE csv_ingest RESET default_transaction_read_only",
        "25006",
    ),
    "ALTER ROLE csv_ingest SET statement_timeout = 1": ("ALTER ROLE csv_ingest SET statement_timeout = '15s'", "57014"),
}


@pytest.mark.parametrize("sql", PASSING, ids=["connections", "read-only", "timeout"])
def test_what_may_pass_is_tried_again_until_it_does(
    world: World, postgresql: LocalPostgresql, sql: str, printed: Callable[[], str]
) -> None:
    """As after a failover: the old connection is gone, and the new ones are refused for a while."""
    end, code = PASSING[sql]
    event = world.upload("a.csv", FILE)
    if code == "57014":
        slow(world, postgresql)
    postgresql.run(sql)
    try:
        with pytest.raises((RowsNotWritten, ItemsNotRead), match=code):
            world.deliver(event, seconds_left=1.9)
    finally:
        postgresql.run(end)
    assert world.file("a.csv")["status"] == "PROCESSING"
    assert ("ConnectionsFailed" in metrics_in(printed())) == (code == "53300")
    world.deliver(event)
    assert_whole(world, event)


def slow(world: World, postgresql: LocalPostgresql) -> None:
    """Have each statement that inserts take some milliseconds."""
    postgresql.run("CREATE OR REPLACE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS "
                   "$$ BEGIN PERFORM pg_sleep(0.02); RETURN NULL; END $$")  # fmt: skip
    postgresql.run(f"CREATE TRIGGER pause AFTER INSERT ON {world.rows_table} EXECUTE FUNCTION pause()")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"database_name": "nothing"}, "3D000.*database_name"),
        ({"database_ca": None}, "certificate of 127.0.0.1 is not trusted"),
        ({"database_host": "localhost.localdomain"}, "connection to localhost.localdomain:.* failed|not trusted"),
        ({"database_host": "db.example.invalid"}, "connection to db.example.invalid:.* failed: gaierror"),
        ({"database_port": 9}, "connection to 127.0.0.1:9 failed: ConnectionRefusedError"),
    ],
    ids=["database", "authority", "host", "no host", "port"],
)
def test_a_login_that_fails_says_what_to_look_at(world: World, changes: dict[str, Any], message: str) -> None:
    event = world.upload("a.csv", FILE)
    set_feed(**changes)
    with pytest.raises(ItemsNotRead, match=message):
        world.deliver(event, seconds_left=1.9)
    assert world.file("a.csv")["last_error"]
    assert world.rows() == {}


def rotate(**content: str) -> None:
    """Put other content into the secret of the function's database, as a rotation does."""
    boto3.client("secretsmanager").put_secret_value(SecretId=database().secret, SecretString=json.dumps(content))


@pytest.fixture
def clone(postgresql: LocalPostgresql) -> Iterator[str]:
    """The second of two users whose passwords are rotated in turn: a member of the first, as the rotation makes it."""
    postgresql.run(f"CREATE ROLE csv_ingest_clone LOGIN PASSWORD '{PASSWORD}'")
    postgresql.run("GRANT csv_ingest TO csv_ingest_clone")
    yield "csv_ingest_clone"
    postgresql.run("DROP ROLE csv_ingest_clone")


def test_a_rotation_with_alternating_users_needs_no_deployment(
    world: World, postgresql: LocalPostgresql, clone: str
) -> None:
    event = world.upload("a.csv", FILE)
    roles: list[Any] = []
    sessions = "SELECT usename FROM pg_stat_activity WHERE application_name = 'csv-ingest'"
    world.statements.before.append(lambda _sql: roles.extend(postgresql.run(sessions)))
    rotate(username=clone, password=PASSWORD)
    world.deliver(event)
    assert_whole(world, event)
    assert [clone] in roles
    assert ["csv_ingest"] not in roles
    assert audit(world.pipeline()).findings == []


@pytest.mark.parametrize("username", [{"username": ""}, {"username": None}, {"username": 5}])
def test_a_secret_without_user_is_that_of_the_setting(world: World, username: Any) -> None:
    rotate(password=PASSWORD, **username)
    event = world.ingest("a.csv", FILE)
    assert_whole(world, event)


@pytest.mark.parametrize(
    ("content", "user"),
    [({"username": "nobody", "password": PASSWORD}, "nobody"), ({"password": "another"}, "csv_ingest")],
)
def test_a_refused_login_names_its_user(world: World, content: dict[str, str], user: str) -> None:
    rotate(**content)
    with pytest.raises(ItemsNotRead, match=f"28P01: the login as {user} was refused: see `cannot log in`"):
        world.deliver(world.upload("a.csv", FILE), seconds_left=1.9)


def test_a_certificate_of_another_host_is_refused(world: World, postgresql: LocalPostgresql) -> None:  # noqa: ARG001
    """Also at the near end of a tunnel: who answers there has to be the database."""
    other = database()._replace(host="db.example.com")
    address = ("127.0.0.1", postgresql.port)
    connection = PostgresqlConnection(other, deadline=Deadline.never(), address=address)
    with pytest.raises(ItemsNotRead, match=r"certificate of db.example.com is not trusted.*mismatch"):
        connection.read("SELECT 1")


def test_a_server_without_tls_gets_no_password(world: World, postgresql: LocalPostgresql) -> None:  # noqa: ARG001
    _, _, port = (postgresql.folder / "backend").read_text().partition(":")
    plain = database()._replace(port=int(port))
    connection = PostgresqlConnection(plain, deadline=Deadline(partial(next, countdown(1))))
    with pytest.raises(ItemsNotRead, match=rf"connection to 127.0.0.1:{port} failed: ConnectionError"):
        connection.read("SELECT 1")


def test_a_host_that_is_no_name_is_not_found(world: World) -> None:  # noqa: ARG001
    connection = PostgresqlConnection(
        database()._replace(host="db..example.com"), deadline=Deadline(partial(next, countdown(1)))
    )
    with pytest.raises(ItemsNotRead, match=r"connection to db\.\.example\.com:.* failed: gaierror"):
        connection.read("SELECT 1")


ENDINGS: dict[str, tuple[dict[str, Any], str, int | None]] = {
    "closed": ({}, "SELECT 1", None),
    "refused login": ({"user": "nobody"}, "SELECT 1", None),
    "no database": ({"name": "nothing"}, "SELECT 1", None),
    "unknown authority": ({"ca": ""}, "SELECT 1", None),
    "cut in TLS": ({}, "SELECT 1", 600),
    "cut in the login": ({}, "SELECT 1", 2_500),
    "refused statement": ({}, "SELECT 1 / 0", None),
    "cut in a statement": ({}, "SELECT repeat('x', 100000)", 50_000),
    "no answer in time": ({}, "SELECT pg_sleep(3)", None),
}
"""The changes of the database, a statement, and after how many bytes the connection is cut, by how it ends."""


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_connection_stays_open(world: World, postgresql: LocalPostgresql, ending: str) -> None:  # noqa: ARG001 - for its variables
    """Until the garbage collector came by, in a function that is frozen meanwhile."""
    changes, sql, cut_after = ENDINGS[ending]
    gc.disable()
    before = open_connections()
    try:
        with relay_to(postgresql.port) as relay:
            relay.cut_after = cut_after
            connection = PostgresqlConnection(
                database()._replace(port=relay.port, **changes), deadline=Deadline(partial(next, countdown(0.4)))
            )
            errors: list[Exception] = []  # as the handler keeps them
            with closing(connection):
                try:
                    connection.read(sql)
                except (ItemsNotRead, OutOfTime) as error:
                    errors.append(error)
            assert relay.bytes > 0
            assert relay.cut_after is None
            assert open_connections() <= before
    finally:
        gc.enable()


def open_connections() -> set[ssl.SSLSocket]:
    """Those of this process over TLS, also those that nobody can reach any more."""
    return {each for each in gc.get_objects() if type(each) is ssl.SSLSocket and each.fileno() >= 0}


def test_a_hanging_statement_ends_with_the_invocation(
    world: World, postgresql: LocalPostgresql, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody holds a lock: the delivery says how far it came, before Lambda kills it."""
    event = world.upload("a.csv", FILE)
    locking = postgresql.connect()

    def lock() -> None:
        locking.run("BEGIN")
        locking.run(f"LOCK TABLE {world.rows_table}")

    with pytest.raises(OutOfTime, match="during a statement of PostgreSQL"), between_calls(9, lock, world.statements):
        world.tuned(in_flight=1).deliver(event, seconds_left=countdown(3))
    locking.run("ROLLBACK")
    locking.close()
    assert "ConnectionsFailed" not in metrics_in(capsys.readouterr().out)
    assert world.file("a.csv")["rows_read"] == 70
    world.deliver(event)
    assert_whole(world, event)


@pytest.mark.parametrize("encoding", ["SJIS", "EUC_JP", "LATIN1"])
def test_no_setting_of_the_role_changes_a_character(world: World, postgresql: LocalPostgresql, encoding: str) -> None:
    """In the two Japanese ones, the bytes of a yen sign are those of a backslash: "\u00a5t" would be a tab."""
    postgresql.run(f"ALTER ROLE csv_ingest SET client_encoding = '{encoding}'")
    try:
        world.ingest("a.csv", "id,name\n1,\u00a5ten \u203e \u20ac \U0001f600\n")
    finally:
        postgresql.run("ALTER ROLE csv_ingest RESET client_encoding")
    assert [json.loads(data)["name"] for data in world.rows().values()] == ["\u00a5ten \u203e \u20ac \U0001f600"]
    assert audit(world.pipeline()).findings == []


def test_a_database_without_utf8_is_refused(postgresql: LocalPostgresql) -> None:
    postgresql.run("CREATE DATABASE latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with closing(postgresql.in_database("latin1")) as latin1, fresh_world(postgresql=latin1) as world:
        event = world.upload("a.csv", FILE)
        with pytest.raises(RowsNotWritten, match="the database has the encoding LATIN1: create a database with UTF8"):
            world.deliver(event)
        assert world.rows() == {}
    postgresql.run("DROP DATABASE latin1")


def test_a_secret_that_cannot_be_read_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a network without an endpoint for it."""
    event = world.upload("a.csv", FILE)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:9")
    clients.secretsmanager.cache_clear()
    with pytest.raises(ItemsNotRead, match="no password could be made or read for csv_ingest: EndpointConnectionError"):
        world.deliver(event, seconds_left=countdown(2.5))
    clients.secretsmanager.cache_clear()
