"""What clients ask DynamoDB and S3 for, counted: requests, and the units that they cost.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
"""

from collections.abc import Mapping
from typing import Any

from botocore.client import BaseClient

from csv_ingest.model import FILES_INDEX_KEY

OF_ROWS = "pk"
"""The name that only keys of rows have."""


class Spent:
    """Units of items of at most a KB to write, and four to read, until `clear` is called."""

    def __init__(self, *clients: BaseClient) -> None:
        self.clear()
        for client in clients:
            client.meta.events.register("provide-client-params", self._note)

    def clear(self) -> None:
        self.requests: list[str] = []
        self.rows = 0
        """Write units of the rows table. An insertion that is refused takes one, too."""
        self.ledger = 0
        """Of the files table, without its index."""
        self.index = 0
        """Of the index of the files table: two, to move an upload to another status."""
        self.reads = 0
        """Read units."""
        self._listed: set[str] = set()

    def _note(self, params: Mapping[str, Any], model: Any, **_: Any) -> None:
        self.requests.append(model.name)
        match model.name:
            case "BatchExecuteStatement":
                of_rows = sum(f"'{OF_ROWS}'" in text or f'"{OF_ROWS}"' in text for text in _statements(params))
                self.rows += of_rows
                self.ledger += len(params["Statements"]) - of_rows
            case "UpdateItem":
                self._update(params)
            case "TransactWriteItems":
                self.ledger += 2 * len(params["TransactItems"])
            case "GetItem":
                self.reads += 1
            case "BatchGetItem":
                self.reads += sum(len(wanted["Keys"]) for wanted in params["RequestItems"].values())

    def _update(self, params: Mapping[str, Any]) -> None:
        if OF_ROWS in params["Key"]:
            self.rows += 1
            return
        self.ledger += 1
        if FILES_INDEX_KEY[1] in params["ExpressionAttributeNames"].values():
            key = str(params["Key"])
            self.index += 2 if key in self._listed else 1
            self._listed.add(key)


def _statements(params: Mapping[str, Any]) -> list[str]:
    return [statement["Statement"] for statement in params["Statements"]]
