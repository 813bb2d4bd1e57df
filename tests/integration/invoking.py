"""What Lambda does with the handler: an invocation, its metrics, and the queue of events."""

import itertools
import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError

from csv_ingest.events import Event, object_version
from csv_ingest.model import (
    ObjectVersion,
)

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


def invocation(*, seconds_left: float | Iterator[float] = 30, function: str = "ingest") -> LambdaContext:
    """What Lambda tells the handler of an invocation; how much time is left can be another one at each question."""
    answers = itertools.repeat(seconds_left) if isinstance(seconds_left, int | float) else seconds_left
    return cast(
        "LambdaContext",
        SimpleNamespace(
            aws_request_id="request-1",
            function_name=function,
            function_version="1",
            invoked_function_arn=f"arn:aws:lambda:us-east-1:000000000000:function:{function}:live",
            memory_limit_in_mb=512,
            get_remaining_time_in_millis=lambda: round(next(answers) * 1000),
        ),
    )


def metrics_in(output: str) -> dict[str, float]:
    """The metrics that a function printed."""
    lines = [json.loads(line) for line in output.splitlines() if '"_aws":' in line]
    return {
        metric["Name"]: sum(line[metric["Name"]])
        for line in lines
        for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    }


def version_of(event: Event) -> ObjectVersion:
    """The object version that an event names."""
    return object_version(event["Records"][0])


class Invocations:
    """Lambda's queue: takes every event, and keeps it for the test to deliver."""

    def __init__(self, client: "LambdaClient | None" = None) -> None:
        self.client = client or boto3.client("lambda")
        self.events: list[Event] = []
        self.functions: list[str] = []
        self.refuse: str | None = None
        """The key of an upload whose event is not accepted."""
        self.status = 202
        """What Lambda answers."""
        self.refuse_after: int | None = None
        """How many events are still accepted."""
        self.at_once: Callable[[Event], None] | None = None
        """What is done with an event as soon as it is accepted."""
        self.reserved: int | None = None
        """The reserved concurrency of every function."""
        self.paused: set[str] = set()
        """Functions whose reserved concurrency is 0, whatever that of the others is."""
        events: Any = self.client.meta.events
        events.register("before-call.lambda.GetFunctionConcurrency", self._tell_reserved)
        events.register("provide-client-params.lambda.Invoke", self._take)
        events.register("before-call.lambda.Invoke", self._accept)

    def _take(self, params: dict[str, Any], **_: Any) -> None:
        assert (params["InvocationType"], params["Qualifier"]) == ("Event", "live")
        event = json.loads(params["Payload"])
        if "Records" in event and object_version(event["Records"][0]).key == self.refuse:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "made up"}}, "Invoke")
        if self.refuse_after is not None and len(self.events) >= self.refuse_after:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "made up"}}, "Invoke")
        self.events.append(event)
        self.functions.append(params["FunctionName"])
        if self.at_once:
            self.at_once(event)

    def _accept(self, **_: Any) -> tuple[Any, dict[str, Any]]:
        return SimpleNamespace(status_code=self.status), {"StatusCode": self.status}

    def _tell_reserved(self, params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        is_paused = any(f"/functions/{name}/" in params["url_path"] for name in self.paused)
        return SimpleNamespace(status_code=200), {"ReservedConcurrentExecutions": 0 if is_paused else self.reserved}

    def keys(self) -> list[str]:
        return sorted(object_version(event["Records"][0]).key for event in self.events)
