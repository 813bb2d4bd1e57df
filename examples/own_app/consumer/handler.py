"""Writes the total of each complete file of orders. An event can come twice: the same total is written again."""

import json
import os
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import boto3
from boto3.dynamodb.conditions import Key

dynamodb = boto3.resource("dynamodb")
rows = dynamodb.Table(os.environ["ROWS_TABLE"])
totals = dynamodb.Table(os.environ["TOTALS_TABLE"])


class TooEarly(Exception):
    """The index does not have all rows of the file yet; the queue brings the event again."""


def handler(event: dict[str, Any], _context: object) -> None:
    """Read the rows of each file that an event is about."""
    for message in event["Records"]:
        file = json.loads(message["body"])["detail"]
        found = list(rows_of(file["etag"]))
        # At the second attempt, minutes later, the index has them: the file has the same row on several lines.
        if len(found) < file["rows_stored"] and message["attributes"]["ApproximateReceiveCount"] == "1":
            raise TooEarly(f"{len(found)} of {file['rows_stored']} rows of {file['object_key']}")
        total = sum(row["price"] for row in found if "price" in row)
        totals.put_item(Item={"file": file["object_key"], "orders": len(found), "total": total})


def rows_of(etag: str) -> Iterator[dict[str, Any]]:
    """The rows of a file, in no order: their keys from the index, the rows from the table."""
    keys = keys_of(etag)
    while some := list(islice(keys, 100)):
        wanted: dict[str, Any] = {rows.name: {"Keys": some, "ConsistentRead": True}}
        while wanted:
            answer = dynamodb.batch_get_item(RequestItems=wanted)
            yield from answer["Responses"].get(rows.name, [])
            wanted = answer["UnprocessedKeys"]
            if wanted:
                time.sleep(0.1)


def keys_of(etag: str) -> Iterator[dict[str, Any]]:
    """The keys of the rows of a file."""
    query: dict[str, Any] = {"IndexName": "etag-line", "KeyConditionExpression": Key("etag").eq(etag)}
    while True:
        page = rows.query(**query)
        yield from ({"pk": entry["pk"]} for entry in page["Items"])
        if "LastEvaluatedKey" not in page:
            return
        query["ExclusiveStartKey"] = page["LastEvaluatedKey"]
