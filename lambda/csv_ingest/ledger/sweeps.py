"""What the ledger keeps for the sweep, from run to run."""

from csv_ingest.dynamodb import DynamoDbTable
from csv_ingest.ledger import keys

_KEY = keys.key_of_entry("#sweep", "#checkpoint")
"""Of an object with this key, no item has such an entry: its entries begin with its ETag."""


class SweepLedger:
    """The checkpoint of the sweep, a text."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def checkpoint(self) -> str:
        """As the last run left it; empty before the first."""
        return self._table.get(_KEY).get("checkpoint", {}).get("S", "")

    def save(self, checkpoint: str, *, instead_of: str) -> bool:
        """Replace the checkpoint, unless another run has done that meanwhile; returns whether it was replaced."""
        item = _KEY | {"checkpoint": {"S": checkpoint}}
        if not instead_of:
            return self._table.put(item, condition="attribute_not_exists(checkpoint)")
        return self._table.put(item, condition="checkpoint = :seen", values={"seen": {"S": instead_of}})
