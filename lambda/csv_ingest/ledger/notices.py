"""What the ledger holds of who was told: marks, so that nobody is told twice, and notices that wait for a mail."""

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from csv_ingest.dynamodb import MAX_STATEMENTS, DynamoDbTable, Item
from csv_ingest.ledger import items, keys

_OBJECT_KEY = "#notices"
"""Of an object with this key, no item has such an entry: its entries begin with its ETag."""

_MARK, _MAIL = "#told#", "#mail#"


class WaitingMail(NamedTuple):
    """A notice that waits for the next mail."""

    since: datetime
    text: str
    entry: str


class NoticeLedger:
    """Marks of what was told, and the notices of the next mail."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def told(self, names: Collection[str]) -> set[str]:
        """Those of some names that are marked as told."""
        by_entry = {_entry(name): name for name in names}
        found = self._table.get_many(keys.key_of_entry(_OBJECT_KEY, entry) for entry in by_entry)
        return {by_entry[item["entry"]["S"]] for item in found}

    def mark(self, names: Iterable[str]) -> None:
        """Mark names as told. In this order, after the telling: interrupted in between, somebody is told twice."""
        marks: list[Item] = [keys.key_of_entry(_OBJECT_KEY, _entry(name)) | {"at": items.now()} for name in names]
        for start in range(0, len(marks), MAX_STATEMENTS):
            self._table.insert_absent(marks[start : start + MAX_STATEMENTS])

    def since(self, name: str) -> datetime:
        """Since when a name is marked; marks it now if it is not."""
        key = keys.key_of_entry(_OBJECT_KEY, _entry(name))
        if not (item := self._table.get(key)):
            self.mark([name])
            item = self._table.get(key)
        return datetime.fromisoformat(item["at"]["S"])

    def add_mail(self, text: str) -> None:
        """Have a notice wait for the next mail; the same text once."""
        entry = f"{_MAIL}{hashlib.sha256(text.encode()).hexdigest()}"
        self._table.insert_absent([keys.key_of_entry(_OBJECT_KEY, entry) | {"at": items.now(), "text": {"S": text}}])

    def waiting_mails(self) -> list[WaitingMail]:
        """The notices that wait, the oldest first."""
        found = self._table.query(*keys.below(_OBJECT_KEY, _MAIL))
        mails = (
            WaitingMail(datetime.fromisoformat(item["at"]["S"]), item["text"]["S"], item["entry"]["S"])
            for item in found
        )
        return sorted(mails)

    def remove_mails(self, mails: Sequence[WaitingMail]) -> None:
        """Remove notices that were mailed."""
        self._table.delete_many(keys.key_of_entry(_OBJECT_KEY, mail.entry) for mail in mails)


def _entry(name: str) -> str:
    """Names have the keys of objects in them, which can be longer than a sort key."""
    return f"{_MARK}{hashlib.sha256(json.dumps(name).encode()).hexdigest()}"
