"""What the proofs take for granted of DynamoDB, tried in the files table under a key of the run's own."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from botocore.exceptions import ClientError

from csv_ingest import dynamodb
from csv_ingest.dynamodb import expressions

from .report import Failed, Skipped
from .trial import Trial

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import BatchStatementRequestTypeDef

Statement: TypeAlias = "BatchStatementRequestTypeDef"

AT_ONCE, TRANSACTIONS = 10, 50

WRONG = "the proofs rest on it: do not trust this deployment with rows, and report it"


def insertion(trial: Trial) -> str:
    """A conditional batch writes what is absent, answers for each statement, and charges for what it refuses."""
    with _items(trial, "a", "b", "c"):
        _expect(_batch(trial, _insert(trial, "a"), _insert(trial, "b")), [None, None], "two absent items")
        again = _batch(trial, _insert(trial, "a"), _insert(trial, "c"))
        _expect(again, ["DuplicateItem", None], "an item that is there, and one that is not")
        refused = _batch(trial, _insert(trial, "a"), _insert(trial, "b"))
        _expect(refused, ["DuplicateItem"] * 2, "two items that are there")
        units = sum(each["CapacityUnits"] for each in refused.get("ConsumedCapacity", []))
    return f"write units of a refused insertion: {units / 2:g}"


def condition(trial: Trial) -> str:
    """An update, or a deletion, of an item that is not as it was read changes nothing, and says so."""
    table = trial.pipeline.files_table
    another: dynamodb.Item = {"note": {"S": "another"}}
    with _items(trial, "a"):
        _batch(trial, _insert(trial, "a"))
        update = expressions.update(table, dynamodb.Update(_key(trial, "a"), another, {"note": {"S": "new"}}, []))
        _expect(_batch(trial, update), ["ConditionalCheckFailed"], "an update whose condition does not hold")
        delete = expressions.delete(table, _key(trial, "a") | another)
        _expect(_batch(trial, delete), ["ConditionalCheckFailed"], "a deletion whose condition does not hold")
        item = trial.pipeline.clients.dynamodb.get_item(TableName=table, Key=_key(trial, "a"), ConsistentRead=True)
        if item.get("Item", {}).get("note") != {"S": "old"}:
            raise Failed(f"DynamoDB changed an item although the condition did not hold: {WRONG}")
    return ""


def same_key_twice(trial: Trial) -> str:
    """A batch with one key twice is refused as a whole."""
    if trial.is_local:
        raise Skipped("MiniStack takes it")
    with _items(trial, "a"):
        try:
            _batch(trial, _insert(trial, "a"), _insert(trial, "a"))
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationException":
                return ""
            raise
    raise Failed(f"DynamoDB took one key twice in a batch, where a ValidationException is documented: {WRONG}")


def conflicts(trial: Trial) -> str:
    """Transactions that write to one item at once are refused and can be repeated: each counts once."""
    if trial.is_local:
        raise Skipped("MiniStack has no transaction conflicts")
    with _items(trial, "sum", *(f"part {number}" for number in range(TRANSACTIONS))):
        begun = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            refused = sum(pool.map(lambda number: _count_once(trial, number), range(TRANSACTIONS)))
        seconds = time.monotonic() - begun
        item: Any = trial.pipeline.clients.dynamodb.get_item(
            TableName=trial.pipeline.files_table, Key=_key(trial, "sum"), ConsistentRead=True
        )["Item"]
        if (counted := int(item["number"]["N"])) != TRANSACTIONS:
            raise Failed(f"{TRANSACTIONS} transactions added {counted} to a sum: {WRONG}")
    return f"{TRANSACTIONS} transactions, {AT_ONCE} at once: {refused} refused attempts, {seconds:.1f} s"


def _count_once(trial: Trial, number: int) -> int:
    """Mark a part and add one to the sum, in one transaction; returns how often that was refused."""
    table, client = trial.pipeline.files_table, trial.pipeline.clients.dynamodb
    part: Any = {"Put": {"TableName": table, "Item": _key(trial, f"part {number}")}}
    sum_: Any = {
        "Update": {
            "TableName": table,
            "Key": _key(trial, "sum"),
            "UpdateExpression": "ADD #n :one",
            "ExpressionAttributeNames": {"#n": "number"},
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }
    for refused in range(100):
        try:
            client.transact_write_items(TransactItems=[part, sum_])
        except client.exceptions.TransactionCanceledException as error:
            codes = {reason["Code"] for reason in error.response["CancellationReasons"]}
            if not codes <= {"None", "TransactionConflict", "ThrottlingError"}:
                raise Failed(f"a transaction was refused with {', '.join(sorted(codes))}: {WRONG}") from error
            time.sleep(0.02)
        else:
            return refused
    raise Failed(f"a transaction was refused a hundred times: {WRONG}")


def _key(trial: Trial, entry: str) -> dynamodb.Item:
    """Of an object key that no object has."""
    return {"object_key": {"S": trial.name}, "entry": {"S": entry}}


def _insert(trial: Trial, entry: str) -> Statement:
    return expressions.insert(trial.pipeline.files_table, _key(trial, entry) | {"note": {"S": "old"}})


def _batch(trial: Trial, *statements: Statement) -> Any:
    dynamodb_ = trial.pipeline.clients.dynamodb
    return dynamodb_.batch_execute_statement(Statements=statements, ReturnConsumedCapacity="TOTAL")


def _expect(answer: Any, codes: list[str | None], of: str) -> None:
    found = [each.get("Error", {}).get("Code") for each in answer["Responses"]]
    if found != codes:
        raise Failed(f"DynamoDB answered {found} to {of}, where {codes} is documented: {WRONG}")


@contextmanager
def _items(trial: Trial, *entries: str) -> Iterator[None]:
    """Delete items at the end of the block, however it ends."""
    try:
        yield
    finally:
        for entry in entries:
            trial.pipeline.clients.dynamodb.delete_item(TableName=trial.pipeline.files_table, Key=_key(trial, entry))
