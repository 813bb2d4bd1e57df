"""The stack, deployed once to MiniStack by the real CDK CLI."""

import pytest

from local.deployment import Deployment, deploy
from local.server import LocalAws


@pytest.fixture(scope="session")
def deployment(aws: LocalAws) -> Deployment:
    return deploy(aws)
