"""The stack, deployed once to MiniStack by the real CDK CLI."""

import pytest

from local.deployment import Deployment, deploy
from local.server import LocalAws
from tests.e2e.inbox import Inbox


@pytest.fixture(scope="session")
def deployment(aws: LocalAws) -> Deployment:
    return deploy(aws)


@pytest.fixture(scope="session")
def inbox(deployment: Deployment) -> Inbox:
    return Inbox(deployment)
