"""The files table: one record a file, and one a rejected row. What it says of a complete file is true for good."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from csv_ingest.batches import insert_if_absent
from csv_ingest.events import ObjectVersion
from csv_ingest.rows import Format, Reject

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from csv_ingest.batches import Item

PROCESSING, COMPLETE, REJECTED = "PROCESSING", "COMPLETE", "REJECTED"
SETTLED = frozenset({COMPLETE, REJECTED})

REJECT_MARK = "#reject#"
"""Between the ETag and the line, in the sort key of a rejected row."""


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
    """What the ledger knows of one upload."""

    status: str | None
    tally: Tally | None
    """Confirmed work, in file order; None until the whole file was found to be readable."""
    format: Format | None
    """How it was read then, and is read from then on, whatever the settings say: one file, one way to read it."""


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
        self._time_left = time_left
        self._key: Item = {"object_key": {"S": version.key}, "entry": {"S": version.etag}}

    def read(self) -> FileRecord:
        """What earlier deliveries of this upload came to. One strongly consistent read."""
        answer = self._client.get_item(TableName=self._table, Key=self._key, ConsistentRead=True)
        return file_record(answer.get("Item", {}))

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
        """Record rows that are not stored, at most 25; repeating it changes nothing."""
        items: list[Item] = [
            {
                "object_key": {"S": self._version.key},
                "entry": {"S": f"{self._version.etag}{REJECT_MARK}{reject.line:012d}"},
                "line": {"N": str(reject.line)},
                "reason": {"S": reject.reason},
            }
            for reject in rejects
        ]
        insert_if_absent(self._client, self._table, items, time_left=self._time_left)

    def found_readable(self, format_: Format) -> FileRecord:
        """Record how the file can be read, with no row stored yet; returns the record, of whoever came first."""
        first = _counts(Tally()) | {"format": {"S": json.dumps(format_)}}
        before = self._update(first, unless="attribute_exists(#rows_read)")
        return FileRecord(PROCESSING, Tally(), format_) if before is None else file_record(before)

    def checkpoint(self, tally: Tally) -> None:
        """Record how far the file is done, for the next delivery to go on from there; never less than before."""
        self._update(_counts(tally), unless="#rows_read >= :rows_read")

    def complete(self, tally: Tally) -> None:
        """Settle the upload: the caller saw each row confirmed by DynamoDB, or recorded its reject."""
        settled: Item = {"status": {"S": COMPLETE}, "settled_at": {"S": _now()}}
        self._update(settled | _counts(tally), remove=["reason"])

    def reject_file(self, reason: str) -> None:
        """Settle the upload as one that cannot be read, unless another delivery found that it can.

        A delivery under other settings may yet complete it.
        """
        self._update(
            {"status": {"S": REJECTED}, "settled_at": {"S": _now()}, "reason": {"S": reason}},
            unless="attribute_exists(#rows_read)",
        )

    def _update(self, attributes: "Item", *, remove: Sequence[str] = (), unless: str | None = None) -> "Item | None":
        """Set and remove attributes of the record; if it is complete, or `unless` holds, it stays as it is.

        Returns None, or the record that stayed.
        """
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in attributes)
        if remove:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in remove)
        condition = f"NOT (#status = :complete{f' OR {unless}' if unless else ''})"
        try:
            self._client.update_item(
                TableName=self._table,
                Key=self._key,
                UpdateExpression=expression,
                ConditionExpression=condition,
                ExpressionAttributeNames={
                    f"#{name}": name for name in re.findall(r"#(\w+)", f"{expression} {condition}")
                },
                ExpressionAttributeValues={
                    ":complete": {"S": COMPLETE},
                    **{f":{name}": value for name, value in attributes.items()},
                },
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            # It has been done by another delivery, from the same bytes and with the same result.
            stayed: Item = error.response.get("Item", {})  # type: ignore[assignment] # the stubs do not know it
            return stayed
        return None


def file_record(item: "Mapping[str, AttributeValueTypeDef]") -> FileRecord:
    """What an item of the files table says; of no item, nothing."""
    counted = "rows_read" in item
    return FileRecord(
        status=item["status"]["S"] if "status" in item else None,
        tally=Tally(*(int(item[f"rows_{name}"]["N"]) for name in Tally._fields)) if counted else None,
        format=Format(*json.loads(item["format"]["S"])) if "format" in item else None,
    )


def _counts(tally: Tally) -> "Item":
    return {f"rows_{name}": {"N": str(number)} for name, number in tally._asdict().items()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
