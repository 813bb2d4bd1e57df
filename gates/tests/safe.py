"""A template that breaks no rule, and templates that differ from it in a few values."""

import copy
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

from gates.files import TemplateFile

SAFE = Path(__file__).parent / "safe.yaml"
_SAFE_TEMPLATE = dict(TemplateFile(SAFE).template)

TODAY = date(2026, 11, 22)
"""The day of the checks, on which the runtime of the safe template is supported."""

GONE: Final = object()

Changes = Mapping[str, Any]

Case = tuple[str, str, Changes]
"""The ids of rules, how a template breaks them or seems to, and the changes that make that template."""


def changed(changes: Changes) -> dict[str, Any]:
    """The safe template with other values, by their paths; `GONE` removes a value.

    `Ingest` is a resource, `Ingest.Timeout` one of its properties, `/Parameters.Email` a path from the top. A number
    is an index in a list.
    """
    template = copy.deepcopy(_SAFE_TEMPLATE)
    for path, value in changes.items():
        name, *rest = path.split(".")
        keys: list[Any] = [name.removeprefix("/")] if name.startswith("/") else ["Resources", name]
        if rest and not name.startswith("/"):
            keys.append("Properties")
        keys += [int(key) if key.isdigit() else key for key in rest]
        parent: Any = template
        for key in keys[:-1]:
            parent = parent[key]
        if value is GONE:
            del parent[keys[-1]]
        elif isinstance(parent, list) and keys[-1] == len(parent):
            parent.append(copy.deepcopy(value))
        else:
            parent[keys[-1]] = copy.deepcopy(value)
    return template


def resource(resource_type: str, **properties: Any) -> dict[str, Any]:
    return {"Type": resource_type, "Properties": properties}


def sub(text: str) -> dict[str, Any]:
    return {"Fn::Sub": text}


def allow(action: Any, arn: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": arn}


def policy(resource_type: str, statement: Any, **properties: Any) -> dict[str, Any]:
    return resource(resource_type, PolicyDocument={"Statement": statement}, **properties)


# Paths. The function's role has three statements: these are added. The bucket's policy has one.
ADDED = "Role.Policies.0.PolicyDocument.Statement.3"
ADDED_NEXT = "Role.Policies.0.PolicyDocument.Statement.4"
BUCKET_POLICY = "UploadsPolicy.PolicyDocument.Statement"
TRIGGER = "Uploads.NotificationConfiguration.LambdaConfigurations.0"

PUT_UPLOADS = allow("s3:PutObject", sub("${Uploads.Arn}/in/*"))

SECOND_FUNCTION = resource(
    "AWS::Lambda::Function",
    Runtime="nodejs24.x",
    MemorySize=512,
    LoggingConfig={"LogGroup": {"Ref": "Log"}},
)

REDRIVE = {"deadLetterTargetArn": {"Fn::GetAtt": "Failures.Arn"}, "maxReceiveCount": 3}
"""Where messages go that fail again and again: to a queue that is kept for fourteen days, and watched."""

THROUGH_TOPIC: Changes = {
    "Uploads.NotificationConfiguration": {
        "TopicConfigurations": [{"Event": "s3:ObjectCreated:*", "Topic": {"Ref": "Told"}}]
    },
    "Told.Subscription": [{"Protocol": "lambda", "Endpoint": {"Fn::GetAtt": "Ingest.Arn"}, "RedrivePolicy": REDRIVE}],
}
THROUGH_EVENTBRIDGE: Changes = {
    "Uploads.NotificationConfiguration": {"EventBridgeConfiguration": {}},
    "OnUpload": resource(
        "AWS::Events::Rule",
        EventPattern={"source": ["aws.s3"], "detail": {"bucket": {"name": [{"Ref": "Uploads"}]}}},
        Targets=[
            {
                "Id": "1",
                "Arn": {"Fn::GetAtt": ["Ingest", "Arn"]},
                "DeadLetterConfig": {"Arn": {"Fn::GetAtt": "Failures.Arn"}},
            }
        ],
    ),
    "EventsMayInvoke": resource(
        "AWS::Lambda::Permission", FunctionName={"Ref": "Ingest"}, Principal="events.amazonaws.com", SourceArn="arn"
    ),
}
THROUGH_QUEUE: Changes = {
    "Uploads.NotificationConfiguration": {
        "QueueConfigurations": [{"Event": "s3:ObjectCreated:*", "Queue": {"Fn::GetAtt": "Waiting.Arn"}}]
    },
    "Waiting": resource("AWS::SQS::Queue", VisibilityTimeout=180, RedrivePolicy=REDRIVE),
    "FailuresPolicy.Queues.1": {"Ref": "Waiting"},
    "FailuresPolicy.PolicyDocument.Statement.0.Resource": "*",
    "Poller": resource(
        "AWS::Lambda::EventSourceMapping",
        EventSourceArn={"Fn::GetAtt": ["Waiting", "Arn"]},
        FunctionName={"Ref": "Ingest"},
    ),
}
THROUGH_ALIAS: Changes = {
    "Live": resource("AWS::Lambda::Alias", FunctionName={"Ref": "Ingest"}, Name="live"),
    f"{TRIGGER}.Function": {"Ref": "Live"},
    "MayInvoke.FunctionName": {"Ref": "Live"},
}
SCHEDULED: Changes = {
    "Uploads.NotificationConfiguration": GONE,
    "MayInvoke": resource(
        "AWS::Lambda::Permission", FunctionName={"Ref": "Ingest"}, Principal="events.amazonaws.com", SourceArn="arn"
    ),
}
