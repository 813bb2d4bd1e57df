"""What the integration tests share: the handler in this process, on MiniStack's engines."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from csv_ingest import clients
from csv_ingest.model import Tuning
from csv_ingest.reporting import logger
from ops.pipeline import Pipeline
from tests.integration import pool
from tests.integration.invoking import Invocations
from tests.integration.ministack import engines
from tests.integration.world import World, fresh_world


@pytest.fixture(scope="module", autouse=True)
def _engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The engines of MiniStack, without its server."""
    with engines(tmp_path_factory.mktemp("engines")), pytest.MonkeyPatch.context() as patch:
        patch.setattr("boto3.client", pool.client)
        yield


@pytest.fixture(autouse=True)
def _every_call_is_permitted(least_privilege: None) -> None:
    """Whatever a test does to the function, the function calls nothing that its role may not."""


@pytest.fixture(autouse=True)
def _botocore_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is lost is asked for again at once, and not after up to a second."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _seconds: None))


@pytest.fixture
def tuning(request: pytest.FixtureRequest) -> Tuning:
    """How files are divided: as the test's parameter says, or its module's TUNING."""
    tuned: Tuning = getattr(request, "param", getattr(request.module, "TUNING", Tuning()))
    return tuned


@pytest.fixture
def world(request: pytest.FixtureRequest, tuning: Tuning) -> Iterator[World]:
    """With DynamoDB; tests that have BOTH_DESTINATIONS run once more with PostgreSQL, or say `indexed`, or `merge`."""
    param = getattr(request, "param", "dynamodb")
    server = request.getfixturevalue("postgresql") if "postgresql" in param else None
    # As many rows in a request as DynamoDB takes, so that a file of a test has as many requests.
    tuned = replace(tuning, batch_rows=25) if server else tuning
    with fresh_world(tuned, postgresql=server, file_index="indexed" in param, merges="merge" in param) as made:
        yield made


@pytest.fixture
def queue(world: World) -> Invocations:  # noqa: ARG001 - for its environment
    """Lambda's queue, into which the function puts parts."""
    return Invocations(clients.lambda_())


@pytest.fixture
def invocations(world: World) -> Invocations:  # noqa: ARG001 - for its environment
    """Lambda's queue, into which the sweep and the operator's commands put uploads."""
    return Invocations()


@pytest.fixture
def pipeline(world: World, invocations: Invocations) -> Pipeline:
    """What the operator's commands work on."""
    made = world.pipeline()
    made.clients.lambda_ = invocations.client
    return made


@pytest.fixture
def commanded(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """The pipeline that the operator's commands find; an empty queue says so at once, and not after a second."""
    events: Any = pipeline.clients.sqs.meta.events
    events.register("provide-client-params.sqs.ReceiveMessage", lambda params, **_: params | {"WaitTimeSeconds": 0})
    monkeypatch.setattr(Pipeline, "find", lambda _stack: pipeline)
    return pipeline


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """What the function prints, and Lambda so keeps in its log group: log lines and metrics."""
    # Looked up at each write, because the logger was made when stdout was another one.
    stdout = SimpleNamespace(write=lambda text: sys.stdout.write(text), flush=lambda: None)  # noqa: PLW0108
    monkeypatch.setattr(logger.registered_handler, "stream", stdout)
    return lambda: "".join(capsys.readouterr())
