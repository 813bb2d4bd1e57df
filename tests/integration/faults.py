"""Faults between the function and a real engine, at the place where they happen: in botocore, on each request."""

import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Context, Decimal
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.httpsession import URLLib3Session
from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import PreparedStatement


class Killed(BaseException):
    """The process is gone: unlike an Exception, nothing can catch it on the way."""


class Statements:
    """What is run on PostgreSQL: like the events of a botocore client, the place where faults happen."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.before: list[Callable[[str], None]] = []
        """Called with the SQL of each statement before it is sent."""
        self.after: list[Callable[[], None]] = []
        """Called when a statement was answered."""
        run = PreparedStatement.run

        def run_between(prepared: Any, **parameters: Any) -> Any:
            for hook in list(self.before):
                hook(prepared.statement)
            rows = run(prepared, **parameters)
            for answered in list(self.after):
                answered()
            return rows

        patch.setattr(PreparedStatement, "run", run_between)


READING = {"BatchGetItem", "GetItem", "GetObject", "HeadObject", "ListObjectVersions", "Query", "SELECT", "Scan"}
"""Operations and statements that change nothing."""


class Calls:
    """The operations that clients called, in order; each one can be made the last."""

    def __init__(self, *clients: BaseClient | Statements) -> None:
        self.names: list[str] = []
        self.die_before: int | None = None
        """Number of the call that is never sent, nor is any after it: other threads die with the process."""
        self.die_after: int | None = None
        """Number of the call that takes effect, but whose answer nobody sees, nor that of any after it."""
        self.fail_at: int | None = None
        """Number of the call that is refused, for a reason that botocore does not retry."""
        self.lose_answer_of: int | None = None
        """Number of the call that takes effect, but whose answer does not arrive: botocore sends it again."""
        self._current = threading.local()
        for client in clients:
            if isinstance(client, Statements):
                client.before.append(self._before_statement)
                client.after.append(self._after_statement)
            else:
                client.meta.events.register("before-send", self._before_send)
                client.meta.events.register("after-call", self._after_call)

    @contextmanager
    def fault(self, name: str, number: int) -> Iterator[None]:
        """Have one of these happen in a block, to the n-th of its calls."""
        self.names.clear()
        setattr(self, name, number)
        try:
            yield
        finally:
            setattr(self, name, None)

    def numbers(self, fault: str) -> list[int]:
        """Of the calls made until now, those at which a fault shows something that it does not show at another one.

        A process that dies leaves what it has written. So it has to die only around calls that write.
        """
        dies = fault in ("die_before", "die_after")
        return [number for number, name in enumerate(self.names, 1) if not dies or name not in READING]

    def _before_send(self, request: Any, event_name: str, **_: Any) -> None:
        number = self._count(event_name.rpartition(".")[2])
        if number == self.fail_at:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "made up"}}, self.names[-1])
        if number == self.lose_answer_of:
            URLLib3Session().send(request)
            raise ReadTimeoutError(endpoint_url=request.url)

    def _before_statement(self, sql: str) -> None:
        number = self._current.number = self._count(sql.split(maxsplit=1)[0])
        if number == self.fail_at:
            raise DatabaseError({"C": "42501", "M": "made up"})

    def _count(self, name: str) -> int:
        self.names.append(name)
        number = len(self.names)
        if self.die_before and number >= self.die_before:
            raise Killed
        if self.die_after and number > self.die_after:
            raise Killed
        return number

    def _after_call(self, **_: Any) -> None:
        if self.die_after and len(self.names) >= self.die_after:
            raise Killed

    def _after_statement(self) -> None:
        if self._current.number == self.lose_answer_of:
            raise InterfaceError("made up")
        self._after_call()


@contextmanager
def between_calls(number: int, action: Callable[[], object], *clients: BaseClient | Statements) -> Iterator[None]:
    """Do something just before the n-th call that these clients make from now on is sent."""
    calls = count(1)
    name = uuid.uuid4().hex  # within the block, another one can be at other calls

    def act(**_: Any) -> None:
        if next(calls) == number:
            action()

    def act_before_statement(_sql: str) -> None:
        act()

    for client in clients:
        if isinstance(client, Statements):
            client.before.append(act_before_statement)
        else:
            client.meta.events.register("before-send", act, unique_id=name)
    try:
        yield
    finally:
        for client in clients:
            if isinstance(client, Statements):
                client.before.remove(act_before_statement)
            else:
                client.meta.events.unregister("before-send", act, unique_id=name)


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


def throttle_requests(client: BaseClient, operation: str, code: str, times: int) -> None:
    """Answer the first requests of an operation with a throttling error of the whole request."""
    left = iter(range(times))

    def refuse(**_: Any) -> tuple[Any, dict[str, Any]] | None:
        if next(left, None) is None:
            return None
        return SimpleNamespace(status_code=400), {
            "Error": {"Code": code, "Message": "slow down"},
            "ResponseMetadata": {},
        }

    events: Any = client.meta.events
    events.register(f"before-call.dynamodb.{operation}", refuse)


class Conflicts:
    """Have transactions take their time, and be refused while another one writes to an item of theirs.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling
    MiniStack and DynamoDB Local have none: a transaction takes no time there.
    """

    def __init__(self, client: BaseClient, *, seconds: float) -> None:
        self.refused = self.taken = 0
        self._seconds = seconds
        self._busy: set[str] = set()
        self._lock = threading.Lock()
        events: Any = client.meta.events
        events.register("provide-client-params.dynamodb.TransactWriteItems", self._note)
        events.register("before-call.dynamodb.TransactWriteItems", self._begin)
        events.register("after-call.dynamodb.TransactWriteItems", self._end)

    def _note(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        writes = [write for item in params["TransactItems"] for write in item.values()]
        context["items"] = [str(write["Key"]) for write in writes]

    def _begin(self, context: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]] | None:
        with self._lock:
            if self._busy.isdisjoint(context["items"]):
                self._busy.update(context["items"])
                context["is_taken"] = True
                return None
            self.refused += 1
            codes = ["TransactionConflict" if item in self._busy else "None" for item in context["items"]]
        return SimpleNamespace(status_code=400), {
            "Error": {"Code": "TransactionCanceledException", "Message": "made up"},
            "CancellationReasons": [{"Code": code} for code in codes],
            "ResponseMetadata": {},
        }

    def _end(self, context: dict[str, Any], **_: Any) -> None:
        if context.pop("is_taken", False):
            time.sleep(self._seconds)
            with self._lock:
                self.taken += 1
                self._busy.difference_update(context["items"])


def leave_unprocessed(client: BaseClient) -> list[int]:
    """Have BatchGetItem process one key of each request, and leave the others; returns the sizes of the requests."""
    sizes: list[int] = []

    def first_only(params: dict[str, Any], context: dict[str, Any], **_: Any) -> dict[str, Any]:
        [(table, wanted)] = params["RequestItems"].items()
        sizes.append(len(wanted["Keys"]))
        context["left"] = {table: wanted | {"Keys": wanted["Keys"][1:]}} if wanted["Keys"][1:] else {}
        return {"RequestItems": {table: wanted | {"Keys": wanted["Keys"][:1]}}}

    def answer(parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        parsed["UnprocessedKeys"] = context["left"]

    events: Any = client.meta.events
    events.register("provide-client-params.dynamodb.BatchGetItem", first_only)
    events.register("after-call.dynamodb.BatchGetItem", answer)
    return sizes


def accept_every_statement(client: BaseClient) -> None:
    """Answer for an engine that is never the bottleneck: all is written, nothing is kept."""

    def note(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["statements"] = len(params["Statements"])

    def accept(context: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        return SimpleNamespace(status_code=200), {"Responses": [{}] * context["statements"]}

    events: Any = client.meta.events
    events.register("provide-client-params.dynamodb.BatchExecuteStatement", note)
    events.register("before-call.dynamodb.BatchExecuteStatement", accept)


def _key(statement: Mapping[str, Any]) -> str:
    """The key of the item that a statement is about: the first values of an insertion, or of the condition."""
    before, _, condition = statement["Statement"].partition(" WHERE ")
    values = statement["Parameters"]
    start, parts = (before.count("?"), 1 + ('"entry"' in condition)) if condition else (0, 2)
    return str(values[start : start + parts])


MAX_DIGITS, MAX_KEY_BYTES, MAX_SORT_KEY_BYTES = 38, 2_048, 1_024
MAX_EXPRESSION, MAX_STATEMENT, MAX_OPERATORS = 4_096, 8_192, 300
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html"""


def behave_like_aws(client: BaseClient) -> None:
    """Have MiniStack refuse what AWS's engine refuses and it does not, and write numbers as AWS's engine does.

    What is refused fails the test: no code is to send it.
    """

    def refuse_statements(params: dict[str, Any], **_: Any) -> None:
        keys = [_key(statement) for statement in params["Statements"]]
        assert len(set(keys)) == len(keys), "ValidationException: Provided list of item keys contains duplicates"
        texts = [statement["Statement"] for statement in params["Statements"]]
        assert max(map(len, texts)) <= MAX_STATEMENT, "ValidationException: the statement is too long"
        assert not any(re.search('"[#:]', text) for text in texts), "ValidationError: the name of a parameter"

    def refuse(params: dict[str, Any], **_: Any) -> None:
        keys = list(_keys(params))
        assert len(set(map(str, keys))) == len(keys), "ValidationException: item keys contains duplicates"
        for name, size in [(name, len(value.get("S", "x").encode())) for key in keys for name, value in key.items()]:
            most = MAX_SORT_KEY_BYTES if name == "entry" else MAX_KEY_BYTES
            assert 0 < size <= most, f"ValidationException: the key {name} has {size} bytes, of {most}"
        for name, text in _texts(params):
            if name == "N":
                digits = len("".join(map(str, Decimal(text).as_tuple().digits)).strip("0"))
                assert digits <= MAX_DIGITS, f"ValidationException: a number has {digits} digits, of {MAX_DIGITS}"
            elif name.endswith("Expression"):
                assert len(text.encode()) <= MAX_EXPRESSION, f"ValidationException: {name} exceeds the maximum size"
                operators = len(re.findall(r"[=<>]+|\b(?:AND|OR|NOT|BETWEEN|attribute_\w+|if_not_exists)\b", text))
                assert operators <= MAX_OPERATORS, f"ValidationException: {name} has {operators} operators"

    def normalise(request: Any, **_: Any) -> None:
        request.data = re.sub(rb'(?<="N": ")[^"]*[.eE][^"]*(?=")', _normal, request.data)

    client.meta.events.register("provide-client-params.dynamodb.BatchExecuteStatement", refuse_statements)
    client.meta.events.register("provide-client-params.dynamodb", refuse)
    client.meta.events.register("before-sign.dynamodb", normalise)


def _keys(params: Mapping[str, Any]) -> Iterator[dict[str, dict[str, str]]]:
    """The keys of the items that a request names, but for statements and queries."""
    for item in params.get("TransactItems", []):
        yield from (write["Key"] for write in item.values())
    for wanted in params.get("RequestItems", {}).values():
        if isinstance(wanted, dict):
            yield from wanted["Keys"]
        else:
            for each in wanted:
                yield _key_of(each["PutRequest"]["Item"]) if "PutRequest" in each else each["DeleteRequest"]["Key"]
    if "Key" in params:
        yield params["Key"]
    if "Item" in params:
        yield _key_of(params["Item"])


def _key_of(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item[name] for name in ("pk", "object_key", "entry") if name in item}


def _texts(of: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a request, with the name that it has."""
    if isinstance(of, Mapping):
        for each, value in of.items():
            yield from _texts(value, each)
    elif isinstance(of, list | tuple):
        for value in of:
            yield from _texts(value, name)
    elif isinstance(of, str):
        yield name, of


def _normal(found: re.Match[bytes]) -> bytes:
    """A number without zeros at its end and without an exponent."""
    return f"{Decimal(found[0].decode()).normalize(Context(prec=38)):f}".encode()
