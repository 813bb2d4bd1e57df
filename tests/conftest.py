"""What the suites share: one MiniStack, started when the first test asks for it."""

import os
from collections.abc import Iterator

import pytest

from local.server import LocalAws, local_aws

# Powertools reads these as the handler is imported.
os.environ["POWERTOOLS_SERVICE_NAME"] = os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "CsvIngest"


@pytest.fixture(scope="session")
def aws() -> Iterator[LocalAws]:
    with local_aws() as running:
        yield running
