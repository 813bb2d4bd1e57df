"""Templates as `cdk synth` makes them, without bundling the function, and what the tests ask of them."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template

from stacks.context import settings_from_context
from stacks.ingest_stack import IngestStack

BUCKET = "AWS::S3::Bucket"
TABLE = "AWS::DynamoDB::Table"
FUNCTION = "AWS::Lambda::Function"
QUEUE = "AWS::SQS::Queue"
TOPIC = "AWS::SNS::Topic"
ALARM = "AWS::CloudWatch::Alarm"
ROLE = "AWS::IAM::Role"
LOG_GROUP = "AWS::Logs::LogGroup"
EVENT_INVOKE_CONFIG = "AWS::Lambda::EventInvokeConfig"
BUCKET_NOTIFICATIONS = "Custom::S3BucketNotifications"

POSTGRESQL = {
    "destination": "postgresql",
    "database_host": "vendors.cluster-abcdefghijkl.eu-central-1.rds.amazonaws.com",
    "database_name": "erp",
    "database_user": "csv_ingest",
    "database_table": "vendors",
    "database_resource_id": "cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "subnets": "subnet-0a1b2c3d4e5f60718,subnet-0a1b2c3d4e5f60719",
    "security_groups": "sg-0a1b2c3d4e5f60718",
}
"""The settings that a PostgreSQL feed needs."""

SECRET_ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:vendors-AbCdEf"  # noqa: S105  an ARN
CERTIFICATE = (Path(__file__).parent / "authority.pem").read_text()
"""Of an authority that nobody has the key of."""

INGEST = "IngestionIngest"
SWEEP = "IngestionSweep"
EACH_FUNCTION = pytest.mark.parametrize("function", [INGEST, SWEEP])


class Synthesized:
    """A template that is asked by resource type."""

    def __init__(self, stack: Stack | None = None, **context: Any) -> None:
        """Of a stack, or of the stack that the context makes."""
        if not stack:
            settings = settings_from_context(context)
            app = App(context={"aws:cdk:bundling-stacks": []})
            stack = IngestStack(app, settings.stack_id, settings=settings)
        self.name = stack.stack_name
        self.template: dict[str, Any] = dict(Template.from_stack(stack).to_json())

    def all(self, kind: str) -> dict[str, Any]:
        """The resources of a type, by logical id."""
        return {id_: found for id_, found in self.template["Resources"].items() if found["Type"] == kind}

    def only(self, kind: str, contains: str = "") -> Any:
        """The one resource of a type (whose logical id contains a text)."""
        [found] = [resource for id_, resource in self.all(kind).items() if contains in id_]
        return found

    def id_of(self, kind: str, contains: str = "") -> str:
        """The logical id of that resource."""
        [found] = [id_ for id_ in self.all(kind) if contains in id_]
        return found


Synthesize = Callable[..., Synthesized]


@pytest.fixture(scope="session")
def synthesize() -> Synthesize:
    """Synthesize with some settings, each combination once."""
    return cache(Synthesized)


@pytest.fixture(scope="session")
def stack(synthesize: Synthesize) -> Synthesized:
    """The stack with every setting at its default."""
    return synthesize()


@pytest.fixture(scope="session")
def postgresql(synthesize: Synthesize) -> Synthesized:
    """The stack whose one feed is a PostgreSQL feed, with every other setting at its default."""
    return synthesize(**POSTGRESQL)


def arn(id_: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [id_, "Arn"]}


def statements(policy: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = policy["Properties"]["PolicyDocument"]["Statement"]
    return found


def inline_statements(role: dict[str, Any]) -> list[dict[str, Any]]:
    """The statements of a role's one inline policy."""
    [policy] = role["Properties"]["Policies"]
    found: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return found


def denies_plain_http(policy: dict[str, Any], action: str, resources: Any) -> bool:
    """Whether everybody is denied an action on the resources, unless the connection is encrypted."""
    return any(
        statement["Effect"] == "Deny"
        and statement["Action"] == action
        and statement["Principal"] in ("*", {"AWS": "*"})
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        and statement["Resource"] == resources
        for statement in statements(policy)
    )
