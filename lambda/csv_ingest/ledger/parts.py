"""What the ledger holds of a file in parts: the plan, the parts, and the check for duplicate ids."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from csv_ingest.dynamodb import Attribute, Item, as_values
from csv_ingest.ledger import items, keys, names, records, upload
from csv_ingest.model import Owner, PartJob, Phase, Plan, RowCounts

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

THE_FILE = -1
"""Stored in place of a part's number when a delivery of the whole file starts the check."""


@dataclass(frozen=True)
class PartLedger(upload.UploadLedger):
    """The plan and the parts of one upload. There is no lock, as in FileLedger."""

    rows_expire_at: str
    """As in Plan; empty until the file was read to its end."""

    def record_plan(self, plan: Plan, owner: Owner) -> records.FileRecord:
        """Record that the file is ingested in parts; returns the record of the first delivery to do so.

        No part is done yet, unless somebody deleted the file's record.
        """
        self.table.insert_absent([items.item_of_plan(self.entries, plan, owner)])
        # The plan that was recorded first decides how many parts there are, and how they are read.
        recorded_item = self.table.get(keys.key_of(self.entries, keys.PLAN))
        planned_by = records.owner_of(recorded_item)
        if planned_by.target.mode == owner.target.mode:  # the file's record decides on the table: no row is stored yet
            planned_by = planned_by._replace(target=owner.target)
        records.require_owner(planned_by, owner)
        recorded = items.plan_of(recorded_item)
        first = self._counted(Phase.STORE) | items.about_plan(recorded, owner) | self._processing_again()
        first["parts"] = {"N": str(len(recorded.parts))}
        self._update(self._key, first, remove=names.OF_REJECTION, unless="attribute_exists(#rows_read)")
        return records.FileRecord.of(self.table.get(self._key))

    def plan(self) -> Plan:
        """Where the parts of the file begin; raises KeyError if there is no plan."""
        return items.plan_of(self.table.get(keys.key_of(self.entries, keys.PLAN)))

    def read(self, job: PartJob) -> records.FileRecord:
        """The record of a part as earlier deliveries left it."""
        return records.FileRecord.of(self.table.get(keys.key_of_part(self.entries, job)))

    def checkpoint(self, job: PartJob, counts: RowCounts) -> None:
        """Record how many rows of a part are done; the number never decreases."""
        key = keys.key_of_part(self.entries, job)
        checkpoint = self._sums(counts) | self._expiry
        self._update(key, checkpoint, unless="#rows_read >= :rows_read")

    def finish(self, job: PartJob, counts: RowCounts) -> None:
        """In one transaction, record that a part is complete, and add its counts to the file's; at most once.

        Raises botocore's TransactionCanceledException if the file is complete without this part.
        """
        sums, counter = self._sums(counts), names.COUNTERS[job.phase]
        added: Item = {counter: {"N": "1"}, **sums}
        ended = sums | self._expiry
        complete = "SET #status = :complete, " + ", ".join(f"{name} = :{name}" for name in ended)
        counted = f"ADD {', '.join(f'{name} :{name}' for name in added)} REMOVE attempts"
        counting = f"attribute_exists({counter}) AND {names.UNLESS_COMPLETE}"
        # If another delivery finished the same part first, from the same content, nothing is left to do.
        self.table.transact(
            [
                self._write(keys.key_of_part(self.entries, job), complete, names.UNLESS_COMPLETE, ended),
                self._write(self._key, counted, counting, added),
            ]
        )

    @property
    def _expiry(self) -> Item:
        return items.expiry(self.entries.keep_days, self.rows_expire_at)

    def unfinished(self, phase: Phase, part_count: int) -> list[PartJob]:
        """The jobs of a phase that are not complete yet, of a file with so many parts."""
        done = set(map(keys.number_of_part, self._complete_parts(phase)))
        return [PartJob(number, phase) for number in range(part_count) if number not in done]

    def _complete_parts(self, phase: Phase) -> Iterator[Item]:
        return self.table.query(
            "object_key = :key AND begins_with(#entry, :beginning)",
            {
                "key": self._key["object_key"],
                "beginning": {"S": f"{self.entries.upload}{keys.PART_PREFIXES[phase]}"},
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
        beginner: Attribute = {"N": str(by.number if by else THE_FILE)}
        first: Item = self._counted(Phase.CHECK) | {"check_begun_by": beginner}
        remove = ["attempts", *({names.UNRECORDED} - first.keys())]
        unchanged = self._update(self._key, first, remove=remove, unless="attribute_exists(#parts_checked)")
        return unchanged is None or unchanged.get("check_begun_by") == beginner

    def _update(self, key: Item, attributes: Item, *, remove: Sequence[str] = (), unless: str) -> Item | None:
        """Update an item unless it is complete or `unless` holds; returns None, or the unchanged item."""
        condition = f"{names.UNLESS_COMPLETE} AND NOT ({unless})"
        return self.table.update(key, attributes, condition=condition, values=names.COMPLETE_VALUE, remove=remove)

    def _write(self, key: Item, expression: str, condition: str, values: Item) -> "TransactWriteItemTypeDef":
        return {
            "Update": {
                "TableName": self.table.name,
                "Key": key,
                "UpdateExpression": expression,
                "ConditionExpression": condition,
                "ExpressionAttributeNames": {"#status": "status"},
                "ExpressionAttributeValues": as_values(values | names.COMPLETE_VALUE),
            }
        }
