"""What the engine of the tests refuses, as AWS's does: MiniStack takes all of it."""

from typing import Any

import pytest

from tests.integration.world import World

ENTRY = {"entry": {"S": "e"}}
KEY: dict[str, Any] = {"object_key": {"S": "k"}, **ENTRY}
MANY = " AND ".join("a = :v" for _ in range(301))

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("put_item", {"Item": KEY | {"n": {"N": "1" * 39}}}, "39 digits"),
    ("put_item", {"Item": KEY | {"object_key": {"S": "k" * 2_049}}}, "object_key has 2049 bytes"),
    ("put_item", {"Item": KEY | {"entry": {"S": "e" * 1_025}}}, "entry has 1025 bytes"),
    ("get_item", {"Key": KEY | {"object_key": {"S": ""}}}, "object_key has 0 bytes"),
    ("update_item", {"Key": KEY, "UpdateExpression": f"SET a = {'a' * 4_096}"}, "exceeds the maximum size"),
    ("update_item", {"Key": KEY, "ConditionExpression": MANY}, "has 601 operators"),
]


@pytest.mark.parametrize(("operation", "params", "message"), REFUSED)
def test_a_request_that_aws_refuses_fails(world: World, operation: str, params: dict[str, Any], message: str) -> None:
    for client in (world.dynamodb, world.pipeline().clients.dynamodb):
        with pytest.raises(AssertionError, match=message):
            getattr(client, operation)(TableName=world.files_table, **params)


def test_a_key_twice_in_a_request_fails(world: World) -> None:
    with pytest.raises(AssertionError, match="duplicates"):
        world.dynamodb.batch_get_item(RequestItems={world.files_table: {"Keys": [KEY, KEY]}})
    delete: Any = {"Delete": {"TableName": world.files_table, "Key": KEY}}
    with pytest.raises(AssertionError, match="duplicates"):
        world.dynamodb.transact_write_items(TransactItems=[delete, delete])


def test_what_aws_takes_is_taken(world: World) -> None:
    item = KEY | {"object_key": {"S": "k" * 2_048}, "n": {"N": "0." + "9" * 38}}
    world.dynamodb.put_item(TableName=world.files_table, Item=item)
    world.delete_entry("k" * 2_048, "e")
