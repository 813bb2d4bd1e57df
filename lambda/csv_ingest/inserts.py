"""Put-if-absent, 25 items a request: the one way in which rows and rejects are written."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from csv_ingest.errors import RowsNotWritten

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    Item = dict[str, AttributeValueTypeDef]

MAX_STATEMENTS = 25
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html"""

TRANSIENT = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "ThrottlingError",
        "TransactionConflict",
    }
)
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchStatementError.html"""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0  # seconds


def attempts(time_left: Callable[[], float]) -> Iterator[None]:
    """Yield at once, then after growing pauses with jitter, for as long as `time_left()` (seconds) allows."""
    longest = _FIRST_PAUSE
    pause = 0.0
    while pause == 0 or pause < time_left():
        time.sleep(pause)
        yield
        pause = random.uniform(longest / 10, longest)  # noqa: S311 - jitter, not a secret
        longest = min(longest * 2, _LONGEST_PAUSE)


def insert_if_absent(
    client: "DynamoDBClient", table: str, items: "Sequence[Item]", *, time_left: Callable[[], float]
) -> "list[Item]":
    """Write each item unless its key is in the table already; return those whose key was, in their order.

    On return every key is known to be in the table. At most 25 items, all with the same attribute names and with
    different keys: DynamoDB refuses the whole request for two equal ones.

    A request answers for each of its statements, and a 200 can hold throttled ones, which boto3 does not retry.
    They are sent again while `time_left()` (seconds) allows it. Raises RowsNotWritten when it does not, and at once
    for an error that will not pass.
    """
    if not items:
        return []
    names = ", ".join(f"'{name}': ?" for name in items[0])
    statement = f'INSERT INTO "{table}" VALUE {{{names}}}'
    present: list[int] = []
    pending = list(range(len(items)))
    refused: dict[int, str] = {}
    for _ in attempts(time_left):
        answers = client.batch_execute_statement(
            Statements=[{"Statement": statement, "Parameters": list(items[i].values())} for i in pending]
        )["Responses"]
        errors = {i: answer["Error"]["Code"] for i, answer in zip(pending, answers, strict=True) if "Error" in answer}
        present += [i for i, code in errors.items() if code == "DuplicateItem"]
        refused = {i: code for i, code in errors.items() if code != "DuplicateItem"}
        if not refused:
            return [items[i] for i in sorted(present)]
        if not TRANSIENT.issuperset(refused.values()):
            break
        pending = list(refused)
    codes = ", ".join(sorted(set(refused.values())))
    raise RowsNotWritten(f"{table} refused {len(refused)} of {len(items)} items: {codes}")
