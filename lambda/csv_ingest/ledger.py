"""The files table: one record a file, and one a rejected row. What it says of a settled file is true for good."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from csv_ingest.events import ObjectVersion
from csv_ingest.inserts import insert_if_absent
from csv_ingest.rows import Reject

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from csv_ingest.inserts import Item

PROCESSING, COMPLETE = "PROCESSING", "COMPLETE"


class Ledger:
    """The record of one upload: `PROCESSING` from its first delivery on, then settled, once.

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

    def is_settled(self) -> bool:
        """Whether an earlier delivery finished this upload. One strongly consistent read."""
        answer = self._client.get_item(TableName=self._table, Key=self._key, ConsistentRead=True)
        return answer.get("Item", {}).get("status") == {"S": COMPLETE}

    def begin(self) -> None:
        """Record that a delivery of the upload has started."""
        self._set_unless_settled(
            status={"S": PROCESSING},
            version_id={"S": self._version.version_id},
            size={"N": str(self._version.size)},
            started_at={"S": _now()},
        )

    def reject(self, rejects: Sequence[Reject]) -> None:
        """Record rows that are not stored, at most 25; repeating it changes nothing."""
        items: list[Item] = [
            {
                "object_key": {"S": self._version.key},
                "entry": {"S": f"{self._version.etag}#reject#{reject.line:012d}"},
                "line": {"N": str(reject.line)},
                "reason": {"S": reject.reason},
            }
            for reject in rejects
        ]
        insert_if_absent(self._client, self._table, items, time_left=self._time_left)

    def settle(self, *, rows_read: int, rows_stored: int, rows_rejected: int) -> None:
        """Declare the upload `COMPLETE`: the caller saw each row confirmed by DynamoDB, or recorded its reject."""
        self._set_unless_settled(
            status={"S": COMPLETE},
            rows_read={"N": str(rows_read)},
            rows_stored={"N": str(rows_stored)},
            rows_rejected={"N": str(rows_rejected)},
            settled_at={"S": _now()},
        )

    def _set_unless_settled(self, **attributes: "AttributeValueTypeDef") -> None:
        """Set these attributes of the record. If another delivery settled it meanwhile, it stays as it is."""
        # Already settled: then both came to the same sums, from the same bytes.
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.update_item(
                TableName=self._table,
                Key=self._key,
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in attributes),
                ConditionExpression="attribute_not_exists(#status) OR #status = :unsettled",
                ExpressionAttributeNames={f"#{name}": name for name in attributes},
                ExpressionAttributeValues={
                    ":unsettled": {"S": PROCESSING},
                    **{f":{name}": value for name, value in attributes.items()},
                },
            )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
