"""Faults between the function and a real engine, at the place where they happen: in botocore, on each request."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from botocore.client import BaseClient


class Killed(BaseException):
    """The process is gone: unlike an Exception, nothing can catch it on the way."""


class Calls:
    """The operations that clients called, in order; each one can be made the last."""

    def __init__(self, *clients: BaseClient) -> None:
        self.names: list[str] = []
        self.die_before: int | None = None
        """Number of the call that is never sent."""
        self.die_after: int | None = None
        """Number of the call that takes effect, but whose answer nobody sees."""
        for client in clients:
            client.meta.events.register("before-send", self._before_send)
            client.meta.events.register("after-call", self._after_call)

    def _before_send(self, request: Any, **_: Any) -> None:
        target = request.headers.get("X-Amz-Target", b"s3.GetObject")
        self.names.append((target.decode() if isinstance(target, bytes) else target).rpartition(".")[2])
        if len(self.names) == self.die_before:
            raise Killed

    def _after_call(self, **_: Any) -> None:
        if len(self.names) == self.die_after:
            raise Killed


def throttle_statements(client: BaseClient, code: str, throttled: Callable[[Mapping[str, Any]], bool]) -> None:
    """Have the engine see only the statements for which `throttled` is false; answer the others with `code`."""

    def withhold(params: dict[str, Any], context: dict[str, Any], **_: Any) -> dict[str, Any]:
        context["withheld"] = [throttled(statement) for statement in params["Statements"]]
        passed = [s for s, held in zip(params["Statements"], context["withheld"], strict=True) if not held]
        return params | {"Statements": passed or params["Statements"]}

    def skip_if_all_are(context: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]] | None:
        return (SimpleNamespace(status_code=200), {"Responses": []}) if all(context["withheld"]) else None

    def answer(parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        real = iter(parsed["Responses"])
        parsed["Responses"] = [{"Error": {"Code": code}} if held else next(real) for held in context["withheld"]]

    events: Any = client.meta.events  # the stubs do not know that a hook may answer
    events.register("provide-client-params.dynamodb.BatchExecuteStatement", withhold)
    events.register("before-call.dynamodb.BatchExecuteStatement", skip_if_all_are)
    events.register("after-call.dynamodb.BatchExecuteStatement", answer)


def accept_every_statement(client: BaseClient) -> None:
    """Answer for an engine that is never the bottleneck: all is written, nothing is kept."""

    def count(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["statements"] = len(params["Statements"])

    def accept(context: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        return SimpleNamespace(status_code=200), {"Responses": [{}] * context["statements"]}

    events: Any = client.meta.events
    events.register("provide-client-params.dynamodb.BatchExecuteStatement", count)
    events.register("before-call.dynamodb.BatchExecuteStatement", accept)


def refuse_repeated_keys(client: BaseClient) -> None:
    """Refuse what AWS's engine refuses and MiniStack does not: one key twice in one batch."""

    def check(params: dict[str, Any], **_: Any) -> None:
        keys = [str(statement["Parameters"][0]) + str(statement["Parameters"][1]) for statement in params["Statements"]]
        assert len(set(keys)) == len(keys), "ValidationException: Provided list of item keys contains duplicates"

    client.meta.events.register("provide-client-params.dynamodb.BatchExecuteStatement", check)
