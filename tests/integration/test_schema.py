"""`schema` prints what a feed with PostgreSQL needs, and says what keeps its table from holding rows."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest

from csv_ingest.feed import Feed
from local.postgresql import LocalPostgresql
from local.processes import free_port
from ops.pipeline import Pipeline
from tests.integration.commands import invoke, reported, run
from tests.integration.settings import PASSWORD, with_settings
from tests.integration.world import World, fresh_world

pytestmark = pytest.mark.usefixtures("commanded")

Owner = Callable[[str], object]
"""Runs SQL as the owner of the table, whose name replaces each T."""

COLUMNS = '{"Preis": "decimal as price", "nr": "integer required"}'


@pytest.fixture
def world(postgresql: LocalPostgresql) -> Iterator[World]:
    """Two feeds: `default` with DynamoDB, and `vendors` with PostgreSQL."""
    with fresh_world() as made:
        made.add_postgresql_feed(postgresql, "vendors", "vendors/", columns=COLUMNS)
        yield made


@pytest.fixture
def owner(world: World, postgresql: LocalPostgresql) -> Owner:
    table = world.feeds[0].rows_table
    return lambda sql: postgresql.run(with_table(sql, table))


def with_table(text: str, table: str) -> str:
    return re.sub(r"\bT(?![A-Za-z])", table, text)


NO_VIEWS = "DROP VIEW T_complete, T_newest"
"""What an owner has to do before a column gets another type."""

A_VIEW = "CREATE VIEW T_complete AS SELECT * FROM T"


def configure(pipeline: Pipeline, **changes: Any) -> None:
    """Have other settings of the vendors."""
    feed = pipeline.feed_named("vendors")
    feed.__dict__["config"] = replace(feed.config, feed=with_settings(feed.config.feed, changes))


def secret_of(pipeline: Pipeline) -> str:
    """The secret with which the vendors log in."""
    return pipeline.feed_named("vendors").config.feed.database_secret or ""


def only_problem() -> str:
    [found] = reported("schema", "--check", code=1)
    [problem] = found["problems"]
    return str(problem)


def sql_of(printed: str) -> str:
    """What is printed, without the command of psql."""
    return "\n".join(line for line in printed.splitlines() if not line.startswith("\\"))


def test_a_table_made_by_the_statements_is_right(world: World, owner: Owner) -> None:
    owner("DROP TABLE T CASCADE")
    assert only_problem() == (
        f"there is no table {world.feeds[0].rows_table}: run the statements that "
        "`csv-ingest schema --feed vendors` prints"
    )
    owner(sql_of(run("schema", code=0)))
    table = world.feeds[0].rows_table
    assert run("schema", "--check", code=0) == f"vendors: the table {table} is as it has to be.\n"
    assert reported("schema", "--check", code=0) == [
        {"feed": "vendors", "table": table, "problems": [], "warnings": []}
    ]
    world.ingest("vendors/a.csv", "id,Preis,nr\n1,5.50,1\n")
    assert world.file("vendors/a.csv")["status"] == "COMPLETE"


def test_a_merging_feed_has_the_id_as_key(pipeline: Pipeline, world: World, owner: Owner) -> None:
    configure(pipeline, write_mode="merge")
    assert only_problem() == (
        f"{world.feeds[0].rows_table} has no column uploaded: is it the table of something else? "
        "name another table in database_table"
    )
    owner("DROP TABLE T CASCADE")
    printed = run("schema", code=0)
    assert '"uploaded" text COLLATE "C" NOT NULL' in printed
    assert 'PRIMARY KEY ("id")' in printed
    owner(sql_of(printed))
    run("schema", "--check", code=0)
    owner("ALTER TABLE T DROP CONSTRAINT T_pkey, ADD PRIMARY KEY (etag, id)")
    assert "the primary key is (etag, id), and has to be (id): drop it, then" in only_problem()


def test_where_rows_expire_it_says_how_to_delete_them(pipeline: Pipeline, world: World, owner: Owner) -> None:
    configure(pipeline, keep_rows_days=30)
    table = world.feeds[0].rows_table
    assert only_problem() == (
        f'column row_expires_at is missing: ALTER TABLE "{table}" ADD COLUMN "row_expires_at" timestamp with time zone'
    )
    owner("DROP TABLE T CASCADE")
    printed = run("schema", code=0)
    assert f'CREATE INDEX IF NOT EXISTS "{table}_expiry" ON "{table}" (row_expires_at);' in printed.splitlines()
    daily = with_table('DELETE FROM "T" WHERE row_expires_at <= now()', table)
    assert f"-- every day, as the owner: {daily};" in printed.splitlines()
    owner(sql_of(printed))
    owner(daily)
    run("schema", "--check", code=0)
    assert reported("schema", code=0)[0]["daily"] == [daily]


def test_the_printed_sql_says_where_it_belongs(postgresql: LocalPostgresql) -> None:
    done = invoke("schema", "--feed", "vendors", code=0)
    lines = done.stdout.splitlines()
    assert lines[0] == f"-- The feed vendors: in the database {postgresql.database} of 127.0.0.1"
    assert lines[1].startswith("CREATE TABLE IF NOT EXISTS ")
    assert lines[-1] == '-- for a new role: \\password "csv_ingest"'
    assert "PASSWORD '" not in done.stdout
    assert "Run this in psql as the owner of the tables" in done.stderr
    assert "Then look whether all is there: csv-ingest schema --feed vendors --check" in done.stderr


def test_the_sql_of_iam_needs_no_password(pipeline: Pipeline) -> None:
    configure(pipeline, database_secret=None, database_resource_id="db-0123456789")
    done = invoke("schema", code=0)
    assert 'GRANT rds_iam TO "csv_ingest";' in done.stdout
    assert "password" not in done.output


def test_scripts_get_the_statements_as_json(world: World) -> None:
    [found] = reported("schema", code=0)
    assert (found["feed"], found["table"]) == ("vendors", world.feeds[0].rows_table)
    assert found["statements"][0].startswith("CREATE TABLE")


def test_a_feed_with_dynamodb_has_no_schema(pipeline: Pipeline) -> None:
    for arguments in ([], ["--check"]):
        done = invoke("schema", "--feed", "default", *arguments, code=2)
        assert "the feed default has DynamoDB as destination, which needs no schema" in done.stderr
    feed = pipeline.feed_named("vendors")
    feed.__dict__["config"] = replace(feed.config, feed=Feed(name="vendors"))
    assert "all feeds have DynamoDB as destination" in invoke("schema", code=2).stderr


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("ALTER TABLE T DROP COLUMN price CASCADE", "column price is missing"),
        (f"{NO_VIEWS}; ALTER TABLE T ALTER price TYPE text", "column price is text and has to be numeric"),
        (f"{NO_VIEWS}; ALTER TABLE T ALTER price TYPE numeric(10,2)", "column price is numeric(10,2) and has to be"),
        (f"{NO_VIEWS}; ALTER TABLE T ALTER price TYPE text; {A_VIEW}", "column price is text and has to be numeric"),
        ("ALTER TABLE T ALTER price SET NOT NULL", "column price has to have a value, and a cell of a file can be"),
        (f"{NO_VIEWS}; ALTER TABLE T ALTER data TYPE jsonb USING data::jsonb", "column data is jsonb and has to be"),
        ("ALTER TABLE T ALTER line DROP NOT NULL", "column line can be NULL"),
        ("ALTER TABLE T ADD more integer NOT NULL", "column more has to have a value, and no row will have one"),
        (f'{NO_VIEWS}; ALTER TABLE T ALTER id TYPE text COLLATE "POSIX"', "column id has the collation POSIX"),
        (f'{NO_VIEWS}; ALTER TABLE T ALTER id TYPE text COLLATE "POSIX"; {A_VIEW}', "column id has the collation "),
        ("ALTER TABLE T DROP CONSTRAINT T_pkey", "the primary key (etag, id) is missing"),
        ("ALTER TABLE T ADD CONSTRAINT positive CHECK (price > 0)", "constraint positive can refuse or change rows"),
        ('ALTER TABLE T ADD CONSTRAINT "Mine" UNIQUE (nr)', 'constraint "Mine" can refuse'),
        ("ALTER TABLE T ADD CONSTRAINT f FOREIGN KEY (etag, id) REFERENCES T", "constraint f can refuse"),
        ("CREATE UNIQUE INDEX T_i ON T (nr)", "unique index "),
        ("CREATE RULE r AS ON INSERT TO T DO INSTEAD NOTHING", "rule r can refuse"),
        (
            "CREATE TRIGGER t BEFORE UPDATE ON T FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "trigger t can refuse",
        ),
        ("ALTER TABLE T SET UNLOGGED", "a crash of the server empties the table, which is unlogged"),
        ("ALTER TABLE T ENABLE ROW LEVEL SECURITY", "row-level security can hide rows"),
        ("REVOKE INSERT, UPDATE ON T FROM csv_ingest", "the role may not INSERT, UPDATE"),
        ("CREATE TABLE T_old () INHERITS (T)", "the rows of "),
        ("ALTER ROLE csv_ingest RESET statement_timeout", "a statement can go on long after its delivery"),
        ("ALTER ROLE csv_ingest SET statement_timeout = '16s'", "a statement can go on long after its delivery"),
        ("ALTER ROLE csv_ingest SET synchronous_commit = off", "a crash of the server loses rows that were confirmed"),
        ("DROP TABLE T_files CASCADE", "nobody sees in PostgreSQL which files are complete, since there is no table"),
        ("ALTER TABLE T_files DROP COLUMN uploaded_at CASCADE", "T_files: column uploaded_at is missing"),
        ("ALTER TABLE T_files ALTER rows_read TYPE integer", "T_files: column rows_read is integer and has to be big"),
        ("ALTER TABLE T_files ALTER uploaded_at SET NOT NULL", "T_files: column uploaded_at has to have a value"),
        ("ALTER TABLE T_files ALTER completed_at DROP DEFAULT", "T_files: column completed_at has no default"),
        (
            f'{NO_VIEWS}; ALTER TABLE T_files ALTER upload TYPE text COLLATE "POSIX"; {A_VIEW}',
            "T_files: column upload has the collation POSIX",
        ),
        (
            "ALTER TABLE T_files DROP CONSTRAINT T_files_pkey",
            "T_files: the primary key (upload, object_key) is missing",
        ),
        ("ALTER TABLE T_files SET UNLOGGED", "T_files: a crash of the server empties the table"),
        ("REVOKE DELETE ON T_files FROM csv_ingest", "T_files: the role may not DELETE"),
        ("DROP VIEW T_newest", "there is no view T_newest: "),
        (
            "DROP VIEW T_complete; CREATE VIEW T_complete AS SELECT etag, id FROM T",
            "the view T_complete has no column ",
        ),
        (
            "DROP VIEW T_complete; CREATE VIEW T_complete AS SELECT id, etag FROM T",
            "the view T_complete has no column ",
        ),
    ],
)
def test_each_damage_is_mended_by_the_advice(world: World, owner: Owner, damage: str, problem: str) -> None:
    owner(damage)
    [checked] = reported("schema", "--check", code=1)
    first, *of_views = checked["problems"]
    assert first.startswith(with_table(problem, world.feeds[0].rows_table))
    assert all(" view " in each for each in of_views), "what has to go before the damage"
    for found in checked["problems"]:
        advice = re.search(r"(ALTER|CREATE|DROP|GRANT) .*", found)
        assert advice
        owner(advice[0])
    assert reported("schema", "--check", code=0)[0]["problems"] == []


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        ("DROP TABLE T_files CASCADE; CREATE TABLE T_files (upload text)", "T_files has no column object_key, etag, "),
        ("DROP VIEW T_newest; CREATE TABLE T_newest ()", "T_newest is not a view: rename it, then CREATE OR REPLACE "),
    ],
)
def test_a_name_that_is_taken_is_said(
    world: World, owner: Owner, postgresql: LocalPostgresql, other: str, problem: str
) -> None:
    """No delivery writes to the table of something else."""
    owner(other)
    table = world.feeds[0].rows_table
    assert only_problem().startswith(with_table(problem, table))
    world.ingest("vendors/a.csv", "id,Preis,nr\n1,5.50,1\n")
    assert world.file("vendors/a.csv")["status"] == "COMPLETE"
    postgresql.run(f"DROP TABLE IF EXISTS {table}_newest")


def test_another_primary_key_is_named(owner: Owner) -> None:
    owner("ALTER TABLE T DROP CONSTRAINT T_pkey, ADD PRIMARY KEY (id, etag)")
    assert only_problem().startswith("the primary key is (id, etag), and has to be (etag, id): drop it, then ALTER")


def test_a_generated_column_cannot_be_written(owner: Owner) -> None:
    owner(f"{NO_VIEWS}; ALTER TABLE T DROP COLUMN price, ADD price numeric GENERATED ALWAYS AS (line) STORED")
    [found] = reported("schema", "--check", code=1)
    assert found["problems"][0] == "column price is generated by the server: make it an ordinary column"


def test_a_view_is_no_table(world: World, owner: Owner) -> None:
    owner("ALTER TABLE T RENAME TO T_2")
    owner("CREATE VIEW T AS SELECT * FROM T_2")
    assert only_problem() == f"{world.feeds[0].rows_table} is not a table: name another table in database_table"
    owner("DROP VIEW T")
    owner("ALTER TABLE T_2 RENAME TO T")


def test_a_table_of_something_else_is_one_problem(owner: Owner) -> None:
    owner("ALTER TABLE T DROP COLUMN etag CASCADE, DROP COLUMN line CASCADE")
    assert " has no column etag, line: is it the table of something else?" in only_problem()


def test_a_table_in_a_schema_needs_its_use(world: World, pipeline: Pipeline, postgresql: LocalPostgresql) -> None:
    name = f"s{world.bucket}"
    role = f'"{name}.e-r"'
    configure(pipeline, database_user=role.strip('"'))
    feed = pipeline.feed_named("vendors")
    feed.__dict__["config"] = replace(feed.config, rows_table=f"{name}.vendors")
    try:
        postgresql.run(sql_of(run("schema", code=0)))
        postgresql.run(f"ALTER ROLE {role} PASSWORD '{PASSWORD}'")
        run("schema", "--check", code=0)
        postgresql.run(f"REVOKE USAGE ON SCHEMA {name} FROM {role}")
        problem = only_problem()
        assert problem == f'the role may not use the schema: GRANT USAGE ON SCHEMA "{name}" TO {role}'
        postgresql.run(problem.partition(": ")[2])
        run("schema", "--check", code=0)
    finally:
        postgresql.run(f"DROP SCHEMA {name} CASCADE")
        postgresql.run(f"DROP ROLE IF EXISTS {role}")


def test_columns_of_others_are_no_problem(owner: Owner) -> None:
    owner("ALTER TABLE T ADD stamped timestamp NOT NULL DEFAULT now(), ADD remark text")
    owner("ALTER TABLE T ADD number integer NOT NULL GENERATED ALWAYS AS IDENTITY")
    run("schema", "--check", code=0)


def test_columns_of_others_have_any_names(owner: Owner, world: World) -> None:
    owner('ALTER TABLE T ADD "Preis.netto" text, ADD "a""b:c" text')
    for view in ("complete", "newest"):
        assert f'_{view} has no column Preis.netto, a"b:c: CREATE OR REPLACE VIEW' in run("schema", "--check", code=0)
    for key in ("vendors/a.csv", "vendors/b.csv"):  # the second one reads what the first one wrote
        world.ingest(key, "id,Preis,nr\n1,5.50,1\n")
    run("audit", code=0)
    owner("TRUNCATE T")
    owner('ALTER TABLE T ALTER "a""b:c" SET NOT NULL')
    owner(only_problem().partition("will have one: ")[2])
    run("schema", "--check", code=0)


@pytest.mark.parametrize(
    ("superfluous", "warning"),
    [
        ("GRANT DELETE, TRUNCATE ON T TO csv_ingest", "the role may DELETE, TRUNCATE, which no delivery does: REVOKE "),
        ("ALTER TABLE T OWNER TO csv_ingest", "the role owns the table, and can change and drop it: ALTER TABLE "),
    ],
)
def test_more_privileges_than_needed_are_a_warning(owner: Owner, superfluous: str, warning: str) -> None:
    owner(superfluous)
    assert f"vendors: warning: {warning}" in run("schema", "--check", code=0)
    [found] = reported("schema", "--check", code=0)
    assert [each.startswith(warning) for each in found["warnings"]] == [True]


def test_a_superuser_is_one_warning(owner: Owner) -> None:
    owner("ALTER ROLE csv_ingest SUPERUSER")
    try:
        assert '"csv_ingest" is a superuser' in run("schema", "--check", code=0)
    finally:
        owner("ALTER ROLE csv_ingest NOSUPERUSER")


def test_a_reader_is_named(owner: Owner) -> None:
    owner("ALTER ROLE csv_ingest SET default_transaction_read_only = on")
    try:
        assert only_problem() == "the database is read-only: database_host has to be the endpoint of the writer"
    finally:
        owner("ALTER ROLE csv_ingest RESET default_transaction_read_only")


def test_another_encoding_is_named(pipeline: Pipeline, postgresql: LocalPostgresql) -> None:
    postgresql.run("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    configure(pipeline, database_name="latin")
    [found] = reported("schema", "--check", code=1)
    assert found["problems"][0].startswith("the database has the encoding LATIN1, and not every text fits")
    postgresql.run("DROP DATABASE latin WITH (FORCE)")


def test_the_role_that_logs_in_is_checked(pipeline: Pipeline, postgresql: LocalPostgresql) -> None:
    """The second of two users that a rotation alternates has the privileges of the first, and settings of its own."""
    secret = secret_of(pipeline)
    rotated = json.dumps({"username": "csv_ingest_clone", "password": "of the clone"})
    boto3.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=rotated)
    postgresql.run("CREATE ROLE csv_ingest_clone LOGIN PASSWORD 'of the clone'")
    postgresql.run("GRANT csv_ingest TO csv_ingest_clone")
    try:
        repair = only_problem().partition(": ")[2]
        assert repair == """ALTER ROLE "csv_ingest_clone" SET statement_timeout = '15s'"""
        postgresql.run(repair)
        run("schema", "--check", code=0)
    finally:
        postgresql.run("DROP ROLE csv_ingest_clone")


class TestLogin:
    """A database that does not let the operator in is one sentence, and no traceback."""

    @pytest.fixture(autouse=True)
    def _no_patience(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("csv_ingest.postgresql.connection.PATIENCE", 0)

    @pytest.fixture(params=["audit", "schema"])
    def error(self, request: pytest.FixtureRequest, world: World) -> Callable[[], str]:
        """What a command says on standard error, without what it shows of its progress."""
        world.ingest("vendors/a.csv", "id,Preis,nr\n1,5.50,1\n")
        arguments = {"audit": ["audit"], "schema": ["schema", "--check"]}[request.param]
        return lambda: invoke(*arguments, code=1).stderr.partition("Error: ")[2]

    def test_a_wrong_password_is_named(self, pipeline: Pipeline, error: Callable[[], str]) -> None:
        secret = secret_of(pipeline)
        boto3.client("secretsmanager").put_secret_value(SecretId=secret, SecretString='{"password": "another"}')
        assert error() == (
            "PostgreSQL answered 28P01: the login as csv_ingest was refused: see `cannot log in` in "
            "docs/postgresql.md\n"
        )

    @pytest.mark.parametrize("content", ["hunter2", '"hunter2"', '{"user": "hunter2"}', "[]"])
    def test_a_secret_without_a_password_is_named(
        self, pipeline: Pipeline, error: Callable[[], str], content: str
    ) -> None:
        secret = secret_of(pipeline)
        boto3.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=content)
        assert error() == f"the secret {secret} is no JSON object with a password\n"

    def test_a_password_that_scram_refuses_is_named(self, pipeline: Pipeline, error: Callable[[], str]) -> None:
        secret = secret_of(pipeline)
        boto3.client("secretsmanager").put_secret_value(SecretId=secret, SecretString='{"password": "hunter2\\u0007"}')
        assert error().startswith("the login failed: is the password that of the user, and of printable characters?")

    def test_a_secret_that_is_gone_is_named(self, pipeline: Pipeline, error: Callable[[], str]) -> None:
        gone = "arn:aws:secretsmanager:us-east-1:000000000000:secret:gone-a1b2c3"
        configure(pipeline, database_secret=gone)
        assert "when calling the GetSecretValue operation" in error()

    def test_a_missing_network_names_the_tunnel(self, pipeline: Pipeline, error: Callable[[], str]) -> None:
        configure(pipeline, database_host="vendors.invalid", database_port=5432)
        assert error() == (
            "the connection to vendors.invalid:5432 failed: gaierror: from outside of its network, open a tunnel, "
            "and set PGHOSTADDR and PGPORT to the near end\n"
        )

    def test_a_server_that_is_down_is_named(self, pipeline: Pipeline, error: Callable[[], str]) -> None:
        configure(pipeline, database_port=(port := free_port()))
        assert error().startswith(
            f"the connection to 127.0.0.1:{port} failed: ConnectionRefusedError: no server listens"
        )

    def test_a_closed_tunnel_is_named(self, error: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PGPORT", str(port := free_port()))
        assert error().endswith(f"ConnectionRefusedError: it was made to PGPORT={port}: is the tunnel open?\n")

    @pytest.mark.parametrize(("port", "shown"), [("\x1b[31m", r"\x1b[31m"), ("65536", "65536"), ("-1", "-1")])
    def test_a_port_is_a_number(
        self, error: Callable[[], str], monkeypatch: pytest.MonkeyPatch, port: str, shown: str
    ) -> None:
        monkeypatch.setenv("PGPORT", port)
        assert error() == f"PGPORT is '{shown}', and has to be the number of a port\n"

    def test_the_certificate_of_another_host_is_refused(
        self, pipeline: Pipeline, error: Callable[[], str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        configure(pipeline, database_host="vendors.example")
        monkeypatch.setenv("PGHOSTADDR", "127.0.0.1")
        assert error().startswith("the certificate of vendors.example is not trusted: Hostname mismatch")


def test_an_audit_without_a_table_says_what_to_do(world: World, owner: Owner) -> None:
    world.ingest("vendors/a.csv", "id,Preis,nr\n1,5.50,1\n")
    owner("ALTER TABLE T RENAME TO T_2")
    problem = f"there is no table {world.feeds[0].rows_table}: `csv-ingest schema --check` says what to do"
    assert problem in invoke("audit", code=1).stderr
    owner("ALTER TABLE T_2 RENAME TO T")


def test_a_tunnel_leads_to_the_database(
    pipeline: Pipeline, postgresql: LocalPostgresql, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(pipeline, database_host="localhost", database_port=1)
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.1")
    monkeypatch.setenv("PGPORT", str(postgresql.port))
    run("schema", "--check", code=0)
