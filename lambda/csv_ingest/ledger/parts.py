"""What the ledger holds of a file in parts: the plan, the parts, and the check for duplicate ids."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from csv_ingest.dynamodb import DynamoDbTable, Item, as_values
from csv_ingest.ledger import items, keys, names, records
from csv_ingest.model import Owner, PartJob, Phase, Plan, RowCounts

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, TransactWriteItemTypeDef

THE_FILE = -1
"""Stored in place of a part's number when a delivery of the whole file starts the check."""


class PartLedger:
    """The plan and the parts of one upload. There is no lock, as in FileLedger."""

    def __init__(self, table: DynamoDbTable, entries: keys.Entries, feed: str) -> None:
        self._table = table
        self._entries = entries
        self._feed = feed
        self._file = keys.key_of(entries)

    def record_plan(self, plan: Plan, owner: Owner) -> records.FileRecord:
        """Record that the file is ingested in parts; returns the record of the first delivery to do so.

        No part is done yet, unless somebody deleted the file's record.
        """
        self._table.insert_absent([items.item_of_plan(self._entries, plan, owner)])
        # The plan that was recorded first decides how many parts there are, and how they are read.
        recorded_item = self._table.get(keys.key_of(self._entries, keys.PLAN))
        planned_by = records.owner_of(recorded_item)
        if planned_by.target.mode == owner.target.mode:  # the file's record decides on the table: no row is stored yet
            planned_by = planned_by._replace(target=owner.target)
        records.require_owner(planned_by, owner)
        recorded = items.plan_of(recorded_item)
        first = self._counted(Phase.STORE) | items.about_plan(recorded.format, owner, recorded.upload_order)
        first["parts"] = {"N": str(len(recorded.parts))}
        # Another delivery, under other settings, may have rejected the file meanwhile.
        first |= items.processing(self._entries)
        self._update(self._file, first, remove=names.OF_REJECTION, unless="attribute_exists(#rows_read)")
        return records.FileRecord.of(self._table.get(self._file))

    def plan(self) -> Plan:
        """Where the parts of the file begin; raises KeyError if there is no plan."""
        return items.plan_of(self._table.get(keys.key_of(self._entries, keys.PLAN)))

    def read(self, job: PartJob) -> records.FileRecord:
        """The record of a part as earlier deliveries left it."""
        return records.FileRecord.of(self._table.get(keys.key_of_part(self._entries, job)))

    def checkpoint(self, job: PartJob, counts: RowCounts) -> None:
        """Record how many rows of a part are done; the number never decreases."""
        key = keys.key_of_part(self._entries, job)
        self._update(key, self._sums(counts), unless="#rows_read >= :rows_read")

    def finish(self, job: PartJob, counts: RowCounts) -> None:
        """In one transaction, record that a part is complete, and add its counts to the file's; at most once.

        Raises botocore's TransactionCanceledException if the file is complete without this part.
        """
        # If another delivery finished the same part first, from the same content, nothing is left to do.
        self._table.transact([self._part_complete(job, counts), self._part_counted(job.phase, counts)])

    def unfinished(self, phase: Phase, part_count: int) -> list[PartJob]:
        """The jobs of a phase that are not complete yet, of a file with so many parts."""
        done = set(map(keys.number_of_part, self._complete_parts(phase)))
        return [PartJob(number, phase) for number in range(part_count) if number not in done]

    def _complete_parts(self, phase: Phase) -> Iterator[Item]:
        return self._table.query(
            "object_key = :key AND begins_with(#entry, :beginning)",
            {
                "key": self._file["object_key"],
                "beginning": {"S": f"{self._entries.upload}{keys.PART_PREFIXES[phase]}"},
                **names.COMPLETE_VALUE,
            },
            FilterExpression="#status = :complete",
            ExpressionAttributeNames={"#entry": "entry", "#status": "status"},
        )

    def _counted(self, phase: Phase) -> Item:
        """The counter and the sums of a phase that begins.

        Parts are complete then only if the file's record was deleted and made again. No part can end meanwhile: its
        end is counted in a record that has the counter.
        """
        complete = [records.FileRecord.of(item).counts or RowCounts() for item in self._complete_parts(phase)]
        sums = RowCounts(*(sum(column) for column in zip(RowCounts(), *complete, strict=True)))
        return {names.COUNTERS[phase]: {"N": str(len(complete))}, **self._sums(sums)}

    def begin_check(self, by: PartJob | None) -> bool:
        """Start the check: set the counts of the file to zero, to be counted anew by comparing all parts.

        Returns whether `by` started the check, now or in an earlier attempt. The ledger stores which part started it:
        if its invocation dies before dispatching the others, its retry sees its own number and dispatches them again.
        """
        beginner: AttributeValueTypeDef = {"N": str(by.number if by else THE_FILE)}
        first: Item = self._counted(Phase.CHECK) | {"check_begun_by": beginner}
        remove = ["attempts", *({names.UNRECORDED} - first.keys())]
        unchanged = self._update(self._file, first, remove=remove, unless="attribute_exists(#parts_checked)")
        return unchanged is None or unchanged.get("check_begun_by") == beginner

    def mark_duplicate_ids(self) -> None:
        """Record that an id is on two lines of the file. Has to be called before a row of that id is replaced."""
        self._table.insert_absent([keys.key_of_duplicates(self._entries.content, self._feed)])

    def has_duplicate_ids(self) -> bool:
        """Whether duplicate ids were recorded for this content, under this object key or another one of the feed."""
        return bool(self._table.get(keys.key_of_duplicates(self._entries.content, self._feed)))

    def _sums(self, counts: RowCounts) -> Item:
        return items.sums(counts, self._entries.mode)

    def _update(self, key: Item, attributes: Item, *, remove: Sequence[str] = (), unless: str) -> Item | None:
        """Update an item unless it is complete or `unless` holds; returns None, or the unchanged item."""
        condition = f"{names.UNLESS_COMPLETE} AND NOT ({unless})"
        return self._table.update(key, attributes, condition=condition, values=names.COMPLETE_VALUE, remove=remove)

    def _part_complete(self, job: PartJob, counts: RowCounts) -> "TransactWriteItemTypeDef":
        sums = self._sums(counts)
        return {
            "Update": {
                "TableName": self._table.name,
                "Key": keys.key_of_part(self._entries, job),
                "UpdateExpression": "SET #status = :complete, " + ", ".join(f"{name} = :{name}" for name in sums),
                "ConditionExpression": names.UNLESS_COMPLETE,
                "ExpressionAttributeNames": {"#status": "status"},
                "ExpressionAttributeValues": as_values(sums | names.COMPLETE_VALUE),
            }
        }

    def _part_counted(self, phase: Phase, counts: RowCounts) -> "TransactWriteItemTypeDef":
        counter = names.COUNTERS[phase]
        added: Item = {counter: {"N": "1"}, **self._sums(counts)}
        counting = f"attribute_exists({counter}) AND {names.UNLESS_COMPLETE}"
        return {
            "Update": {
                "TableName": self._table.name,
                "Key": self._file,
                "UpdateExpression": f"ADD {', '.join(f'{name} :{name}' for name in added)} REMOVE attempts",
                "ConditionExpression": counting,
                "ExpressionAttributeNames": {"#status": "status"},
                "ExpressionAttributeValues": as_values(added | names.COMPLETE_VALUE),
            }
        }
