"""AWS calls, the IAM actions that they need, and policies that are compared with them."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from tests.templates import as_list

_REGION = "us-east-1:000000000000"


class Permission(NamedTuple):
    """An action on a resource: what a call needs, or, with wildcards, what a statement allows."""

    action: str
    resource: str


def needed(service: str, operation: str, params: Mapping[str, Any]) -> set[Permission]:  # noqa: C901, PLR0911, PLR0912  a table
    """What IAM asks for a call. Raises NotImplementedError for one that is not known here.

    https://docs.aws.amazon.com/service-authorization/latest/reference/
    """
    match service, operation:
        case "s3", "GetObject" | "HeadObject":
            action = "s3:GetObjectVersion" if "VersionId" in params else "s3:GetObject"
            return {Permission(action, f"arn:aws:s3:::{params['Bucket']}/{params['Key']}")}
        case "s3", "ListObjectVersions":
            return {Permission("s3:ListBucketVersions", f"arn:aws:s3:::{params['Bucket']}")}
        case "s3", "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload":
            return {Permission("s3:PutObject", f"arn:aws:s3:::{params['Bucket']}/{params['Key']}")}
        case "s3", "DeleteObjects":
            objects = params["Delete"]["Objects"]
            return {
                Permission("s3:DeleteObjectVersion", f"arn:aws:s3:::{params['Bucket']}/{each['Key']}")
                for each in objects
            }
        case "s3", "PutBucketNotificationConfiguration":
            return {Permission("s3:PutBucketNotification", f"arn:aws:s3:::{params['Bucket']}")}
        case "dynamodb", "DeleteItem" | "DescribeTable" | "GetItem" | "PutItem" | "Query" | "Scan" | "UpdateItem":
            index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
            return {_on_table(operation, f"{params['TableName']}{index}")}
        case "dynamodb", "BatchGetItem" | "BatchWriteItem":
            return {_on_table(operation, table) for table in params["RequestItems"]}
        case "dynamodb", "BatchExecuteStatement":
            return {
                _on_table(*_action_and_table(text)) for text in {each["Statement"] for each in params["Statements"]}
            }
        case "dynamodb", "TransactWriteItems":
            # A transaction has no permission of its own: each of its actions needs its own.
            writes = [(kind, write) for item in params["TransactItems"] for kind, write in item.items()]
            return {_on_table(f"{kind}Item", write["TableName"]) for kind, write in writes}
        case "events", "PutEvents":
            buses = {entry["EventBusName"] for entry in params["Entries"]}
            return {Permission("events:PutEvents", bus if ":" in bus else f"arn:aws:events:{_REGION}:event-bus/{bus}")
                    for bus in buses}  # fmt: skip
        case "sns", "Publish":
            return {Permission("sns:Publish", params["TopicArn"])}
        case "s3", "PutObject":
            return {Permission("s3:PutObject", f"arn:aws:s3:::{params['Bucket']}/{params['Key']}")}
        case "sqs", "ChangeMessageVisibilityBatch":  # which has no permission of its own
            name = params["QueueUrl"].rpartition("/")[2]
            return {Permission("sqs:ChangeMessageVisibility", f"arn:aws:sqs:{_REGION}:{name}")}
        case (
            "sqs",
            "SendMessage" | "GetQueueAttributes" | "ReceiveMessage" | "DeleteMessage" | "ChangeMessageVisibility",
        ):
            name = params["QueueUrl"].rpartition("/")[2]
            return {Permission(f"sqs:{operation}", f"arn:aws:sqs:{_REGION}:{name}")}
        case "secretsmanager", "GetSecretValue":
            return {Permission("secretsmanager:GetSecretValue", params["SecretId"])}
        case "cloudformation", "DescribeStacks":
            return {Permission("cloudformation:DescribeStacks", f"stack {params['StackName']}")}
        case "cloudwatch", "DescribeAlarms":
            return {Permission("cloudwatch:DescribeAlarms", "*")}
        case "sts", "GetCallerIdentity":  # which needs no permission
            return set()
        case "lambda", "GetFunctionConcurrency" | "PutFunctionConcurrency" | "GetFunctionConfiguration":
            return {Permission(f"lambda:{operation}", f"arn:aws:lambda:{_REGION}:function:{_qualified(params)}")}
        case "lambda", "Invoke":
            return {Permission("lambda:InvokeFunction", f"arn:aws:lambda:{_REGION}:function:{_qualified(params)}")}
    raise NotImplementedError(f"{service}.{operation}: which action does it need?")


def _qualified(params: Mapping[str, Any]) -> str:
    """A function with its alias or version: a permission for the one is none for the other."""
    return ":".join(params[name] for name in ("FunctionName", "Qualifier") if name in params)


def _action_and_table(statement: str) -> tuple[str, str]:
    found = re.match(r'(INSERT INTO|UPDATE|DELETE FROM) "([^"]+)" ', statement)
    assert found, statement
    actions = {"INSERT INTO": "PartiQLInsert", "UPDATE": "PartiQLUpdate", "DELETE FROM": "PartiQLDelete"}
    return actions[found[1]], found[2]


def _on_table(action: str, name: str) -> Permission:
    return Permission(f"dynamodb:{action}", f"arn:aws:dynamodb:{_REGION}:table/{name}")


def allowed(statements: Iterable[Mapping[str, Any]]) -> Iterator[Permission]:
    """Each action and resource of a policy's statements, which all have to allow."""
    for statement in statements:
        assert statement["Effect"] == "Allow"
        actions, resources = (as_list(statement[name]) for name in ("Action", "Resource"))
        yield from (Permission(action, resource) for action in actions for resource in resources)


def _covers(statement: Permission, call: Permission) -> bool:
    if statement.action != call.action:
        return False
    # Elsewhere a wildcard would allow more than what is called, whatever is called.
    if statement.action.startswith("logs:") or re.search(r"[^*]/[^*]*\*$", statement.resource):
        return fnmatchcase(call.resource, statement.resource)
    return call.resource == statement.resource


def refused(calls: Collection[Permission], policy: Collection[Permission]) -> list[Permission]:
    """The calls that a policy does not allow."""
    return sorted(call for call in calls if not any(_covers(statement, call) for statement in policy))


def unused(calls: Collection[Permission], policy: Collection[Permission]) -> list[Permission]:
    """What a policy allows though no call needs it."""
    return sorted(statement for statement in policy if not any(_covers(statement, call) for call in calls))
