"""Templates as `cdk synth` makes them, without bundling the function, and what the tests ask of them."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Annotations, Match, Template

from gates.plugin import guard
from stacks.context import settings_from_context
from stacks.ingest_stack import IngestStack
from tests.permissions import Permission, allowed
from tests.templates import readable, statements_of

BUCKET = "AWS::S3::Bucket"
TABLE = "AWS::DynamoDB::Table"
FUNCTION = "AWS::Lambda::Function"
QUEUE = "AWS::SQS::Queue"
TOPIC = "AWS::SNS::Topic"
ALARM = "AWS::CloudWatch::Alarm"
ROLE = "AWS::IAM::Role"
LOG_GROUP = "AWS::Logs::LogGroup"
ALIAS = "AWS::Lambda::Alias"
VERSION = "AWS::Lambda::Version"
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

KEY = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
SECRET_ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:vendors-AbCdEf"  # noqa: S105  an ARN
CERTIFICATE = (Path(__file__).parent / "authority.pem").read_text()
"""Of an authority that nobody has the key of."""

INGEST = "IngestionIngest"
SWEEP = "IngestionSweep"
NOTIFIER = "MonitoringNotifier"
EACH_FUNCTION = pytest.mark.parametrize("function", [INGEST, SWEEP, NOTIFIER])


class Synthesized:
    """A template that is asked by resource type."""

    def __init__(self, stack: Stack | None = None, **context: Any) -> None:
        """Of a stack, or of the stack that the context makes."""
        if not stack:
            stack = stack_of(app_of(**context))
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


def but_versions(stack: Synthesized) -> dict[str, Any]:
    """The resources but the versions of functions, whose names are others with each change of code or settings."""
    resources: dict[str, Any] = stack.template["Resources"]
    aliases = {id_: resource["Properties"] | {"FunctionVersion": ""} for id_, resource in stack.all(ALIAS).items()}
    kept = {id_: resource for id_, resource in resources.items() if resource["Type"] != VERSION}
    return kept | {id_: kept[id_] | {"Properties": properties} for id_, properties in aliases.items()}


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
    """The stack whose one feed is a PostgreSQL feed with `expect`; every other setting is at its default."""
    return synthesize(**POSTGRESQL, expect="daily 06:00 Europe/Berlin")


def permissions_of(stack: Synthesized, role: str) -> set[Permission]:
    """What the one role whose logical id contains a text is allowed."""
    found = statements_of(role, readable(stack.template["Resources"]))
    return set(allowed(each for each in found if each["Effect"] == "Allow"))


def ingest_permissions(stack: Synthesized, feed: str = "", *, prefix: str = "", of: str = "") -> set[Permission]:
    """What the function of a feed needs, and nothing else: below its prefix, and of its own.

    `feed` is the suffix of the names of its resources, and `of` the id of its construct. In DynamoDB, it has a table.
    """
    function = str(readable(live(stack, f"{of}IngestionIngest{feed}")))
    bucket, files, failures, log_group, *rows = (
        str(readable(arn(stack.id_of(kind, f"{of}{name}"))))
        for kind, name in (
            (BUCKET, "StorageUploads"),
            (TABLE, "StorageFiles"),
            (QUEUE, "IngestionFailures"),
            (LOG_GROUP, f"IngestionIngest{feed}Log"),
            *([(TABLE, f"StorageRows{feed}")] if any(f"StorageRows{feed}" in id_ for id_ in stack.all(TABLE)) else []),
        )
    )
    needed = {
        # No name can list the objects of the bucket.
        f"{bucket}/{prefix}*": {"s3:GetObjectVersion"},
        files: {"dynamodb:GetItem", "dynamodb:PartiQLInsert", "dynamodb:Query", "dynamodb:UpdateItem"},
        function: {"lambda:InvokeFunction"},
        failures: {"sqs:SendMessage"},
        log_group: {"logs:CreateLogStream", "logs:PutLogEvents"},
        **{table: {"dynamodb:BatchGetItem", "dynamodb:PartiQLInsert", "dynamodb:UpdateItem"} for table in rows},
    }
    return {Permission(action, name) for name, actions in needed.items() for action in actions}


def titles(stack: Synthesized) -> list[str]:
    """Of the widgets of the dashboard."""
    body = json.loads(readable(stack.only("AWS::CloudWatch::Dashboard")["Properties"]["DashboardBody"]))
    return [widget["properties"]["title"] for widget in body["widgets"]]


def app_of(outdir: Path | None = None, **context: Any) -> App:
    """An app with the stack that the context makes, the function left unbundled."""
    app = App(outdir=str(outdir) if outdir else None, context={"aws:cdk:bundling-stacks": []})
    settings = settings_from_context(context)
    IngestStack(app, settings.stack_id, settings=settings)
    return app


def stack_of(app: App) -> Stack:
    """Its only stack."""
    [stack] = (each for each in app.node.children if isinstance(each, Stack))
    return stack


def warnings(app: App, about: str) -> list[Any]:
    """The warnings of its stack whose text matches a regular expression."""
    return list(Annotations.from_stack(stack_of(app)).find_warning("*", Match.string_like_regexp(about)))


def violations(app: App) -> list[Any]:
    """What the checks of the project and the packs of cdk-nag find in an app; none of it is acknowledged."""
    guard(app)
    app.synth()
    plugins = json.loads((Path(app.outdir) / "validation-report.json").read_text())["pluginReports"]
    assert plugins
    return [violation for each in plugins for violation in each["violations"]]


def live(stack: Synthesized, function: str) -> dict[str, Any]:
    """The alias by which a function is invoked."""
    return {"Ref": stack.id_of(ALIAS, f"{function}Live")}


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
