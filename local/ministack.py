"""The child process of `local.server`: MiniStack, with what AWS has and it has not.

That is the queue for asynchronous invocations, and the whole of EventBridge's events about uploads.

MiniStack starts every asynchronous invocation at once, and an invocation that is throttled uses up its retries. The
parts of a large file would all run at once, and time out. On AWS they wait in Lambda's queue, and so they do here.
"""

import json
import os
import runpy
import sys
import threading
import time
from contextvars import ContextVar
from typing import Any

from ministack.services import eventbridge, lambda_svc, s3

from local.processes import end_with_parent

AT_ONCE = min(4, max(2, os.cpu_count() or 1))
"""Asynchronous invocations that run at the same time; more of them would only share the same processor cores."""

THROTTLED = 1.0  # seconds until a throttled event is tried again

_asynchronous = ContextVar("_asynchronous", default=False)


def queue_asynchronous_invocations() -> None:
    """Let asynchronous invocations wait for one of `AT_ONCE` slots, before their timeout begins to count.

    Also an invocation that its function's reserved concurrency refuses waits, without using up a retry. A reserved
    concurrency of 0 fails it, as on AWS. What the alias has configured for failed events is done, too: MiniStack looks
    for `$LATEST`'s alone. Synchronous invocations never wait. Raises AttributeError if this version of
    MiniStack has not the functions that are replaced here.
    """
    start, execute = lambda_svc.invoke_async_with_retry, lambda_svc._execute_function  # noqa: SLF001
    slots = threading.Semaphore(AT_ONCE)

    def start_marked(function: Any, event: Any) -> None:
        # The thread that `start` begins for the event and its retries inherits the mark.
        token = _asynchronous.set(True)
        try:
            start(function | {"event_invoke_config": _configuration_of_events(function)}, event)
        finally:
            _asynchronous.reset(token)

    def execute_in_turn(function: Any, event: Any) -> Any:
        if not _asynchronous.get():
            return execute(function, event)
        while True:
            with slots:
                # The function may have been paused or resumed since the event arrived.
                current = function | {"concurrency": _reserved_concurrency(function)}
                result = execute(current, event)
            if not result.get("throttle") or current["concurrency"] == 0:
                return result
            time.sleep(THROTTLED)

    lambda_svc.invoke_async_with_retry, lambda_svc._execute_function = start_marked, execute_in_turn  # noqa: SLF001


def _configuration_of_events(function: Any) -> Any:
    """Of the alias for a version that it names, and otherwise of the function."""
    deployed = lambda_svc._functions.get(function["config"]["FunctionName"], function)  # noqa: SLF001
    configurations = deployed.get("event_invoke_configs") or {}
    version = function["config"]["Version"]
    names = [name for name, alias in deployed.get("aliases", {}).items() if alias["FunctionVersion"] == version]
    return next((configurations[name] for name in [*names, version, ""] if name in configurations), None)


def _reserved_concurrency(function: Any) -> int | None:
    deployed = lambda_svc._functions.get(function["config"]["FunctionName"], function)  # noqa: SLF001
    reserved: int | None = deployed.get("concurrency")
    return reserved


def complete_events_of_eventbridge() -> None:
    """Have EventBridge's events name the version of the object, and wait in Lambda's queue, with retries, as on AWS.

    Raises AttributeError if this version of MiniStack has not the functions that are replaced here.
    """
    fire, dispatch = s3._fire_s3_event, eventbridge._dispatch_event  # noqa: SLF001
    version = ContextVar[str | None]("version", default=None)

    def fire_with_version(*args: Any, version_id: str | None = None, **kwargs: Any) -> None:
        token = version.set(version_id)
        try:
            fire(*args, version_id=version_id, **kwargs)
        finally:
            version.reset(token)

    def dispatch_with_version(event: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        if version.get():
            detail = json.loads(event["Detail"])
            detail["object"]["version-id"] = version.get()
            event = event | {"Detail": json.dumps(detail)}
        return dispatch(event, *args, **kwargs)

    def invoke(arn: str, payload: str) -> None:
        function, config, _ = lambda_svc._get_func_record_for_ref(arn)  # noqa: SLF001
        if function and config:
            record = lambda_svc._execution_record_for_config(function, config)  # noqa: SLF001
            lambda_svc.invoke_async_with_retry(record, json.loads(payload))

    s3._fire_s3_event, eventbridge._dispatch_event = fire_with_version, dispatch_with_version  # noqa: SLF001
    eventbridge._dispatch_to_lambda = invoke  # noqa: SLF001


if __name__ == "__main__":
    queue_asynchronous_invocations()
    complete_events_of_eventbridge()
    end_with_parent()
    sys.argv = ["ministack"]
    runpy.run_module("ministack", run_name="__main__")
