"""What the suites share: one MiniStack, started when the first test asks for it."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from local.postgresql import LocalPostgresql, local_postgresql
from local.server import LocalAws, local_aws

pytest_plugins = ["tests.least_privilege"]

# How long an example takes says more about the machine than about the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# Powertools reads these as the handler is imported.
os.environ["POWERTOOLS_SERVICE_NAME"] = os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "CsvIngest"


SHARE_A_DEPLOYMENT = (
    "tests/e2e/test_people.py",
    "tests/e2e/test_verify.py",
    # What follows leaves files that are never settled.
    "tests/e2e/test_notices.py",
    "tests/e2e/test_operator.py",
    "tests/e2e/test_pipeline.py",
    "tests/e2e/test_queue.py",
    "tests/e2e/test_watch.py",
)
"""In this order, and before all other tests: they wait more than they work, and one worker runs them all."""


class _ByDeployment(LoadFileScheduling):  # type: ignore[misc] # xdist has no types
    """One worker has all tests of a file; and of the files that share a deployment, which takes half a minute."""

    def _split_scope(self, nodeid: str) -> str:
        return "a deployment" if nodeid.startswith(SHARE_A_DEPLOYMENT) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """Told to pytest-xdist, which asks for it by this name."""
    return _ByDeployment(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def turn(item: pytest.Item) -> int:
        file = item.nodeid.partition("::")[0]
        return SHARE_A_DEPLOYMENT.index(file) if file in SHARE_A_DEPLOYMENT else len(SHARE_A_DEPLOYMENT)

    items.sort(key=turn)


def pytest_collection_finish() -> None:
    """What is imported by now stays: to look through it for garbage again and again takes a tenth of the time."""
    gc.freeze()
    gc.set_threshold(50_000)


@pytest.fixture(scope="session")
def recorded_calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the functions that are deployed in this session write down their AWS calls."""
    return tmp_path_factory.mktemp("recorded") / "calls.jsonl"


@pytest.fixture(scope="session")
def aws(recorded_calls: Path) -> Iterator[LocalAws]:
    with recorded_aws(recorded_calls) as running:
        yield running


@pytest.fixture(scope="session")
def postgresql() -> Iterator[LocalPostgresql]:
    """Fails, and says why, if the server does not start: no test is skipped."""
    with local_postgresql() as running:
        yield running


@contextmanager
def recorded_aws(recorded_calls: Path) -> Iterator[LocalAws]:
    """A MiniStack whose functions write down their AWS calls."""
    with pytest.MonkeyPatch.context() as patch:
        # The server hands its environment down to the functions' processes.
        patch.setenv("PYTHONPATH", str(Path(__file__).parent / "recording"))
        patch.setenv("RECORDED_CALLS", str(recorded_calls))
        with local_aws() as running:
            patch.undo()
            yield running
