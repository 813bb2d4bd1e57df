"""Has the PostgreSQL feeds of a local deployment write to a local server, instead of the database of their settings."""

import json
import secrets
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import boto3
from pg8000.exceptions import DatabaseError

from csv_ingest.configuration import IngestConfig
from csv_ingest.destinations.postgresql_table import quoted
from csv_ingest.model import Database
from csv_ingest.postgresql.login import login_of
from csv_ingest.queues import LIVE
from local.postgresql import HOST, LocalPostgresql
from ops.pipeline import Pipeline
from ops.schema import statements

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

DUPLICATE_DATABASE = "42P04"
"""A SQLSTATE: the database exists already."""


def use_local_databases(pipeline: Pipeline, server: LocalPostgresql) -> Pipeline:
    """Create the databases, tables and roles of all PostgreSQL feeds, and have the functions log in there.

    Of what was deployed, only the functions' variable FEED is changed, in a version of its own. Returns the pipeline as
    it is then.
    """
    for feed in pipeline.feeds:
        if wanted := feed.settings.database:
            secret = _secret_of(wanted)
            user, password = login_of(wanted._replace(secret=secret))
            here = replace(
                feed.settings,
                database_host=HOST,
                database_port=server.port,
                database_user=user,
                database_resource_id=None,
                database_secret=secret,
                database_ca=server.ca,
            )
            config = replace(feed.config, feed=here)
            _create_table(config, server, database=wanted.name, password=password)
            _publish(pipeline.clients.lambda_, feed.function, feed.environment | {"FEED": here.to_json()})
    return Pipeline.find(pipeline.stack)


def _publish(lambda_: "LambdaClient", function: str, variables: dict[str, str]) -> None:
    """Have the live version of a function be one with other variables."""
    lambda_.update_function_configuration(FunctionName=function, Environment={"Variables": variables})
    version = lambda_.publish_version(FunctionName=function)["Version"]
    lambda_.update_alias(FunctionName=function, Name=LIVE, FunctionVersion=version)


def _create_table(config: IngestConfig, server: LocalPostgresql, *, database: str, password: str) -> None:
    with server.connect() as connection:
        try:
            connection.run(f"CREATE DATABASE {quoted(database)}")
        except DatabaseError as error:
            if error.args[0]["C"] != DUPLICATE_DATABASE:
                raise
    with server.in_database(database).connect() as connection:
        for sql in statements(config, password=password):
            connection.run(sql)


def _secret_of(database: Database) -> str:
    """The ARN of a secret: that of the settings if the local AWS has it, else one for the user."""
    client, own = boto3.client("secretsmanager"), f"local-{database.user}"
    for name in filter(None, (database.secret, own)):
        with suppress(client.exceptions.ResourceNotFoundException):
            return client.describe_secret(SecretId=name)["ARN"]
    return client.create_secret(Name=own, SecretString=json.dumps({"password": secrets.token_hex()}))["ARN"]
