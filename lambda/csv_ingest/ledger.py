"""The files table: what became of each upload, of its parts, and of its rejected rows."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, cast

from botocore.exceptions import ClientError

from csv_ingest.batches import MAX_STATEMENTS, Pace, insert_if_absent, throttled
from csv_ingest.errors import RowsNotWritten
from csv_ingest.events import ObjectVersion, Task
from csv_ingest.parts import Part
from csv_ingest.planning import Plan
from csv_ingest.rows import Format, Reject

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, TransactWriteItemTypeDef

    from csv_ingest.batches import Item

PROCESSING, COMPLETE, REJECTED = "PROCESSING", "COMPLETE", "REJECTED"
SETTLED = frozenset({COMPLETE, REJECTED})

MARK = "#"
"""In the sort key, after the ETag, before what is not the record of an upload. There is none in an ETag."""

REJECT_MARK = "#reject#"
"""Between the ETag and the line, in the sort key of a rejected row."""

PART_MARK, CHECK_MARK = "#part#", "#check#"
"""Between the ETag and the number, in the sort key of a part of a file that is delivered in parts."""


class Tally(NamedTuple):
    """What became of the rows of a file so far: `read == stored + rejected`."""

    read: int = 0
    stored: int = 0
    """Confirmed by DynamoDB."""
    rejected: int = 0

    def plus(self, *, read: int, rejected: int) -> "Tally":
        """After some more rows, of which those that were not rejected were stored."""
        return Tally(self.read + read, self.stored + read - rejected, self.rejected + rejected)


class FileRecord(NamedTuple):
    """What the ledger knows of one upload, or of one part of it."""

    status: str | None
    tally: Tally | None
    """Confirmed work; None until the whole file was found to be readable."""
    format: Format | None
    """How it was read then, and is read from then on, whatever the settings say: one file, one way to read it."""
    parts: int = 0
    """How many it is delivered in; 0 if it is not."""
    parts_done: int = 0
    parts_checked: int | None = None
    """How many were compared with the table after all were done; None if that was not, or not yet, necessary."""
    started_at: datetime | None = None
    """When the file was last delivered as a whole."""


class Ledger:
    """The record of one upload: `PROCESSING` from its first delivery on, then `COMPLETE`, or `REJECTED`.

    There is no lock. Deliveries at the same time write the same rows under the same keys, find the same rejects and
    come to the same sums, so it does not matter which of them settles the record, and a crashed one blocks nobody.
    """

    def __init__(
        self, client: "DynamoDBClient", table: str, version: ObjectVersion, *, time_left: Callable[[], float]
    ) -> None:
        self._client = client
        self._table = table
        self._version = version
        self._pace = Pace(time_left)
        self._key = self._entry("")

    def read(self, task: Task | None = None) -> FileRecord:
        """What earlier deliveries of this upload, or of this part, came to. One strongly consistent read."""
        return file_record(self._get(self._task(task) if task else self._key))

    def begin(self) -> None:
        """Record that a delivery of the upload has started."""
        self._update(
            {
                "status": {"S": PROCESSING},
                "version_id": {"S": self._version.version_id},
                "size": {"N": str(self._version.size)},
                "started_at": {"S": _now()},
            },
            remove=["reason", "settled_at"],
        )

    def reject_rows(self, rejects: Sequence[Reject]) -> None:
        """Record rows that are not stored; repeating it changes nothing."""
        items: list[Item] = [
            self._entry(f"{REJECT_MARK}{reject.line:012d}")
            | {"line": {"N": str(reject.line)}, "reason": {"S": reject.reason}}
            for reject in rejects
        ]
        for start in range(0, len(items), MAX_STATEMENTS):
            insert_if_absent(self._client, self._table, items[start : start + MAX_STATEMENTS], pace=self._pace)

    def found_readable(self, format_: Format) -> FileRecord:
        """Record how the file can be read, with no row stored yet; returns the record, of whoever came first."""
        first = _counts(Tally()) | {"format": {"S": json.dumps(format_)}}
        before = self._update(first, unless="attribute_exists(#rows_read)")
        return FileRecord(PROCESSING, Tally(), format_) if before is None else file_record(before)

    def checkpoint(self, tally: Tally, task: Task | None = None) -> None:
        """Record how far the file, or the part, is done, for the next delivery to go on from there; never less."""
        self._update(_counts(tally), unless="#rows_read >= :rows_read", key=self._task(task) if task else None)

    def complete(self, tally: Tally) -> None:
        """Settle the upload: the caller saw each row confirmed by DynamoDB, or recorded its reject."""
        settled: Item = {"status": {"S": COMPLETE}, "settled_at": {"S": _now()}}
        self._update(settled | _counts(tally), remove=["reason", "check_begun_by"])

    def reject_file(self, reason: str) -> None:
        """Settle the upload as one that cannot be read, unless another delivery found that it can.

        A delivery under other settings may yet complete it.
        """
        self._update(
            {"status": {"S": REJECTED}, "settled_at": {"S": _now()}, "reason": {"S": reason}},
            unless="attribute_exists(#rows_read)",
        )

    # What follows is for files that are delivered in parts.

    def split(self, plan: Plan) -> FileRecord:
        """Record that the file is delivered in parts, none done yet; returns the record, of whoever came first."""
        item: Item = {"format": {"S": json.dumps(plan.format)}, "columns": {"S": json.dumps(plan.columns)}}
        insert_if_absent(
            self._client,
            self._table,
            [self._entry("#plan") | item | {"parts": {"S": json.dumps(plan.parts)}}],
            pace=self._pace,
        )
        # Whose plan it is decides how many parts there are, and how they are read.
        recorded = self.plan()
        first: Item = _counts(Tally()) | {
            "format": {"S": json.dumps(recorded.format)},
            "parts": {"N": str(len(recorded.parts))},
            "parts_done": {"N": "0"},
        }
        self._update(first, unless="attribute_exists(#rows_read)")
        return self.read()

    def plan(self) -> Plan:
        """Where the parts of the file begin; raises KeyError if there is no plan."""
        item = self._get(self._entry("#plan"))
        parts = [Part(*part) for part in json.loads(item["parts"]["S"])]
        return Plan(Format(*json.loads(item["format"]["S"])), json.loads(item["columns"]["S"]), parts)

    def unfinished(self, tasks: Sequence[Task]) -> list[Task]:
        """Those of the tasks, all of one kind, that are not done yet."""
        done: set[str] = set()
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="object_key = :key AND begins_with(#entry, :beginning)",
            FilterExpression="#status = :complete",
            ProjectionExpression="#entry",
            ExpressionAttributeNames={"#entry": "entry", "#status": "status"},
            ExpressionAttributeValues={
                ":key": self._key["object_key"],
                ":beginning": {"S": self._task(tasks[0])["entry"]["S"][:-6]},
                ":complete": {"S": COMPLETE},
            },
            ConsistentRead=True,
        )
        for page in pages:
            done.update(item["entry"]["S"] for item in page["Items"])
        return [task for task in tasks if self._task(task)["entry"]["S"] not in done]

    def finish(self, task: Task, tally: Tally) -> None:
        """Record that a part is done and add its rows to the file's, both or neither, and once."""
        counts = _counts(tally)
        counter = "parts_checked" if task.check else "parts_done"
        added = [counter, *counts]
        part: TransactWriteItemTypeDef = {
            "Update": {
                "TableName": self._table,
                "Key": self._task(task),
                "UpdateExpression": "SET #status = :complete, " + ", ".join(f"{name} = :{name}" for name in counts),
                "ConditionExpression": "NOT (#status = :complete)",
                "ExpressionAttributeNames": {"#status": "status"},
                "ExpressionAttributeValues": {":complete": {"S": COMPLETE}, **_parameters(counts)},
            }
        }
        file: TransactWriteItemTypeDef = {
            "Update": {
                "TableName": self._table,
                "Key": self._key,
                "UpdateExpression": "ADD " + ", ".join(f"{name} :{name}" for name in added),
                # Not if it was opened again for repair, nor while that is being prepared.
                "ConditionExpression": f"attribute_exists({counter}) AND NOT (#status = :complete)",
                "ExpressionAttributeNames": {"#status": "status"},
                "ExpressionAttributeValues": {
                    ":complete": {"S": COMPLETE},
                    **_parameters({counter: {"N": "1"}, **counts}),
                },
            }
        }
        reasons: list[str] = []
        for _ in self._pace.attempts():
            try:
                self._client.transact_write_items(TransactItems=[part, file])
            except self._client.exceptions.TransactionCanceledException as error:
                # Other parts of the file are finishing too.
                cancelled = cast("list[dict[str, str]]", error.response["CancellationReasons"])
                reasons = [reason["Code"] for reason in cancelled]
                if reasons[0] == "ConditionalCheckFailed":
                    return  # another delivery of the same part was here first, from the same bytes
                if "ConditionalCheckFailed" in reasons or "ValidationError" in reasons:
                    raise
                self._pace.slower()
            except ClientError as error:
                reasons = [throttled(error)]
                self._pace.slower()
            else:
                self._pace.faster()
                return
        raise RowsNotWritten(f"{self._table} did not take the end of a part: {', '.join(reasons)}")

    def begin_check(self, by: Task | None) -> bool:
        """Have the counting begin anew, now by comparing all parts with the table; whether it was begun for this task.

        It is remembered who began it, or, if that one is killed, nobody would know whether the checks were delivered.
        """
        beginner: AttributeValueTypeDef = {"N": str(by.part if by else -1)}
        first: Item = _counts(Tally()) | {"parts_checked": {"N": "0"}, "check_begun_by": beginner}
        before = self._update(first, unless="attribute_exists(#parts_checked)")
        return before is None or before.get("check_begun_by") == beginner

    def note_repeated_ids(self) -> None:
        """Record that an id was met on two lines of these bytes; before anything is done about it."""
        insert_if_absent(self._client, self._table, [self._repeats()], pace=self._pace)

    def has_repeated_ids(self) -> bool:
        """Whether that was recorded, for this key or another one with the same bytes: they have the same rows."""
        return bool(self._get(self._repeats()))

    def _entry(self, suffix: str) -> "Item":
        return {"object_key": {"S": self._version.key}, "entry": {"S": f"{self._version.etag}{suffix}"}}

    def _task(self, task: Task) -> "Item":
        return self._entry(f"{CHECK_MARK if task.check else PART_MARK}{task.part:06d}")

    def _repeats(self) -> "Item":
        # No object's entry: those begin with an ETag.
        return {"object_key": {"S": self._version.etag}, "entry": {"S": "#repeats"}}

    def _get(self, key: "Item") -> "Mapping[str, AttributeValueTypeDef]":
        return self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item", {})

    def _update(
        self,
        attributes: "Item",
        *,
        remove: Sequence[str] = (),
        unless: str | None = None,
        key: "Item | None" = None,
    ) -> "Item | None":
        """Set and remove attributes of the record; if it is complete, or `unless` holds, it stays as it is.

        Returns None, or the record that stayed.
        """
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in attributes)
        if remove:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in remove)
        condition = f"NOT (#status = :complete{f' OR {unless}' if unless else ''})"
        for _ in self._pace.attempts():
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=key or self._key,
                    UpdateExpression=expression,
                    ConditionExpression=condition,
                    ExpressionAttributeNames={
                        f"#{name}": name for name in re.findall(r"#(\w+)", f"{expression} {condition}")
                    },
                    ExpressionAttributeValues={":complete": {"S": COMPLETE}, **_parameters(attributes)},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except self._client.exceptions.ConditionalCheckFailedException as error:
                # It has been done by another delivery, from the same bytes and with the same result.
                stayed: Item = error.response.get("Item", {})  # type: ignore[assignment] # the stubs do not know it
                return stayed
            except self._client.exceptions.TransactionConflictException:
                self._pace.slower()  # a part of the file is finishing
            else:
                return None
        raise RowsNotWritten(f"{self._table} did not take a record: TransactionConflict")


def file_record(item: "Mapping[str, AttributeValueTypeDef]") -> FileRecord:
    """What an item of the files table says; of no item, nothing."""
    counted = "rows_read" in item
    return FileRecord(
        status=item["status"]["S"] if "status" in item else None,
        tally=Tally(*(int(item[f"rows_{name}"]["N"]) for name in Tally._fields)) if counted else None,
        format=Format(*json.loads(item["format"]["S"])) if "format" in item else None,
        parts=int(item["parts"]["N"]) if "parts" in item else 0,
        parts_done=int(item["parts_done"]["N"]) if "parts_done" in item else 0,
        parts_checked=int(item["parts_checked"]["N"]) if "parts_checked" in item else None,
        started_at=datetime.fromisoformat(item["started_at"]["S"]) if "started_at" in item else None,
    )


def _counts(tally: Tally) -> "Item":
    return {f"rows_{name}": {"N": str(number)} for name, number in tally._asdict().items()}


def _parameters(attributes: "Item") -> "Item":
    return {f":{name}": value for name, value in attributes.items()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
