"""A rows table of DynamoDB that the settings name: which table it is, and whether rows can be stored in it."""

from functools import cache
from typing import TYPE_CHECKING

from csv_ingest.model import ROWS_KEY, RowsNotWritten

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@cache
def table_id(dynamodb: "DynamoDBClient", name: str) -> str:
    """The id of a table, which no other table ever has: a restore makes a new table, also under an old name.

    One DescribeTable per process. Raises RowsNotWritten if there is no such table, or rows cannot have its key.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html
    """
    try:
        table = dynamodb.describe_table(TableName=name)["Table"]
    except dynamodb.exceptions.ResourceNotFoundException:
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
