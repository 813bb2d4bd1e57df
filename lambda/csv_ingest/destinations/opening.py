"""Which destination a feed has, and which feed and table the files are of that it ingests."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from csv_ingest import configuration, reporting
from csv_ingest.destinations import base, dynamodb
from csv_ingest.model import ROWS_KEY, Deadline, Owner, RowsNotWritten, Target

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def open_destination(
    config: configuration.IngestConfig,
    client: "DynamoDBClient",
    *,
    deadline: Deadline,
    address: tuple[str, int] | None = None,
    on_failed_connection: Callable[[], None] = lambda: reporting.count("ConnectionsFailed"),
) -> base.Destination:
    """The destination that a feed is configured with; makes no request, and no connection before it is needed.

    `address` is where a database is reached, if not at its own host and port. `on_failed_connection` is called for each
    attempt to connect that fails.
    """
    feed = config.feed
    if not (database := feed.database):
        return dynamodb.DynamoDbDestination(client, config.rows_table, feed.mode, deadline=deadline)
    # Here, because the cold start of the other feeds would take a tenth of a second longer.
    from csv_ingest.destinations.postgresql import PostgresqlDestination  # noqa: PLC0415
    from csv_ingest.postgresql import PostgresqlConnection  # noqa: PLC0415

    connection = PostgresqlConnection(
        database,
        deadline=deadline,
        address=address,
        on_failed_connection=on_failed_connection,
    )
    return PostgresqlDestination(
        connection, config.rows_table, feed.format.columns, feed.mode, rows_expire=feed.rows_expire
    )


def owner_of(config: configuration.IngestConfig, client: "DynamoDBClient") -> Owner:
    """The feed, and where its rows are. Raises RowsNotWritten if the settings name a table that is no rows table."""
    feed = config.feed
    if database := feed.database:
        return Owner(feed.name, Target(config.rows_table, database=database.name, mode=feed.write_mode))
    id_ = table_id(client, config.rows_table) if feed.rows_table else ""
    return Owner(feed.name, Target(config.rows_table, id_, mode=feed.write_mode))


@cache
def table_id(client: "DynamoDBClient", name: str) -> str:
    """The id of a table, which no other table ever has: a restore makes a new table, also under an old name.

    One DescribeTable per process. Raises RowsNotWritten if there is no such table, or rows cannot have its key.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html
    """
    try:
        table = client.describe_table(TableName=name)["Table"]
    except client.exceptions.ResourceNotFoundException:
        raise RowsNotWritten(
            f"there is no table {name} in this account and region: correct the setting rows_table"
        ) from None
    types = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
    found = tuple(each["AttributeName"] for each in table["KeySchema"])
    if found != ROWS_KEY or types[ROWS_KEY[0]] != "S":
        raise RowsNotWritten(
            f"the key of the table {name} is ({', '.join(found)}), and has to be ({', '.join(ROWS_KEY)}), a text: "
            "rows_table has to name a rows table, or a restored one"
        )
    return table["TableId"]
