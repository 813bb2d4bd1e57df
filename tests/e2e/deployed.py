"""The deployed stack as its users see it: uploads, the operator's commands, the functions' processes and policies."""

import json
from pathlib import Path
from typing import Any

import boto3
import psutil

from csv_ingest.model import ObjectVersion
from local.deployment import Deployment, TableRow
from local.examples import orders
from local.server import LocalAws
from ops.pipeline import Pipeline
from stacks.database_access import _NETWORK_ACTIONS
from tests.permissions import Permission, allowed, needed, refused, unused

_OF_STREAM = ("DescribeStream", "GetRecords", "GetShardIterator")

SECONDS = 60
"""To wait for a file."""

LARGE = orders(5_000).replace(b"Teapot", b"Teapot" * 150)
"""Rows of a kilobyte, so that the file is ingested in five parts."""


def upload(deployment: Deployment, key: str, content: bytes) -> ObjectVersion:
    deployment.pipeline.clients.s3.put_object(Bucket=deployment.pipeline.upload_bucket, Key=key, Body=content)
    return deployment.pipeline.latest(key)


def rows_of(deployment: Deployment, version: ObjectVersion) -> dict[str, TableRow]:
    return {pk: row for pk, row in deployment.rows().items() if pk.startswith(f"{version.etag}#")}


def functions_of(aws: LocalAws) -> list[psutil.Process]:
    """The processes in which MiniStack runs functions."""
    return [child for child in psutil.Process(aws.process.pid).children() if "_worker.py" in " ".join(child.cmdline())]


def done_by_lambda(deployment: Deployment, function: Any) -> set[Permission]:
    """What Lambda does with a function's role, around its code: logs, failures, and network interfaces in a VPC."""
    group = f"arn:aws:logs:us-east-1:000000000000:log-group:{function['LoggingConfig']['LogGroup']}:log-stream:x"
    done = {Permission(f"logs:{action}", group) for action in ("CreateLogStream", "PutLogEvents")}
    name = function["FunctionName"]
    configs = deployment.pipeline.clients.lambda_.list_function_event_invoke_configs(FunctionName=name)
    destinations = [each["DestinationConfig"]["OnFailure"] for each in configs["FunctionEventInvokeConfigs"]]
    done |= {Permission("sqs:SendMessage", each["Destination"]) for each in destinations}
    for mapping in deployment.pipeline.clients.lambda_.list_event_source_mappings(FunctionName=name)[
        "EventSourceMappings"
    ]:
        stream = mapping["EventSourceArn"]
        done |= {Permission(f"dynamodb:{action}", stream) for action in _OF_STREAM}
        done.add(Permission("dynamodb:ListStreams", f"{stream.rpartition('/')[0]}/*"))
    # MiniStack forgets which functions are in a VPC.
    in_vpc = '"destination":"postgresql"' in function["Environment"]["Variables"].get("FEED", "")
    return done | {Permission(action, "*") for action in _NETWORK_ACTIONS if in_vpc}


def policy_of(role: str) -> set[Permission]:
    """All that a role may do, as it is deployed. What is denied to its code is tested with the infrastructure."""
    iam = boto3.client("iam")
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    documents: list[Any] = [
        iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    ]
    statements = [each for document in documents for each in document["Statement"] if each["Effect"] == "Allow"]
    return set(allowed(statements))


def wrong_permissions(deployment: Deployment, recorded_calls: Path) -> dict[str, tuple[list[Permission], ...]]:
    """What each function called and may not, and what it may and did not call; nothing if all is exact."""
    calls = [json.loads(line) for line in recorded_calls.read_text().splitlines()]
    functions = deployment.pipeline.clients.lambda_.list_functions()["Functions"]
    wrong: dict[str, tuple[list[Permission], ...]] = {}
    for function in functions:
        name = function["FunctionName"]
        did = {
            permission
            for call in calls
            if call["function"] == name
            for permission in needed(call["service"], call["operation"], call["params"])
        } | done_by_lambda(deployment, function)
        may = policy_of(function["Role"].rpartition("/")[2])
        if any(found := (refused(did, may), unused(did, may))):
            wrong[name] = found
    return wrong


def function_of(deployment: Deployment, handler: str) -> Any:
    """The configuration of the one deployed function with a handler."""
    functions = deployment.pipeline.clients.lambda_.list_functions()["Functions"]
    [found] = [each for each in functions if each["Handler"] == handler]
    return found


def sweep_of(deployment: Deployment) -> Any:
    return function_of(deployment, "csv_ingest.sweep.handler")


def forget_record(pipeline: Pipeline, version: ObjectVersion) -> None:
    """Leave the upload as if its event had been lost."""
    key: Any = {"object_key": {"S": version.key}, "entry": {"S": version.etag}}
    pipeline.clients.dynamodb.delete_item(TableName=pipeline.files_table, Key=key)
