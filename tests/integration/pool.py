"""Clients of botocore that one test after the other uses: to make one takes as long as ten requests."""

import os
from collections import defaultdict
from copy import copy
from typing import Any, NamedTuple

import boto3
from botocore import UNSIGNED
from botocore.config import Config

from csv_ingest import clients
from tests.integration.ministack import ENDPOINT

_create: Any = boto3.client


class _Pooled(NamedTuple):
    like: str
    """What was asked for, in which environment."""
    client: Any
    hooks: Any
    """Those that it has by itself."""


_free: dict[str, list[_Pooled]] = defaultdict(list)
_used: list[_Pooled] = []


def client(service: str, **options: Any) -> Any:
    """What `boto3.client` returns, and nobody else has until `forget_clients`."""
    environment = sorted(variable for variable in os.environ.items() if variable[0].startswith("AWS_"))
    like = f"{service} {environment} {[getattr(option, '__dict__', option) for option in options.values()]}"
    _used.append(_free[like].pop() if _free[like] else _made(like, service, options))
    return _used[-1].client


def _made(like: str, service: str, options: dict[str, Any]) -> _Pooled:
    # With a fixed user agent: botocore would build another one for each request.
    made = _create(service, **{"config": Config(user_agent="tests"), **options})
    if made.meta.endpoint_url == ENDPOINT:  # MiniStack looks at no signature
        made.meta.events.register("choose-signer", lambda **_: UNSIGNED)
    return _Pooled(like, made, copy(made.meta.events._emitter))


def forget_clients() -> None:
    """Have everybody ask for clients again, which are without the hooks of the test before."""
    made = (clients.s3, clients.dynamodb, clients.sqs, clients.sns, clients.lambda_, clients.events)
    for cached in (*made, clients.secretsmanager):
        cached.cache_clear()
    while _used:
        pooled = _used.pop()
        pooled.client.meta.events._emitter = copy(pooled.hooks)
        _free[pooled.like].append(pooled)
