"""The functions' AWS clients, made when they are first asked for."""

import json
import logging
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

# In the log format JSON, the function's log level is that of every logger. At DEBUG, the libraries log requests and
# answers: rows, and the database's password.
for _library in ("boto3", "botocore", "s3transfer", "urllib3"):
    logging.getLogger(_library).setLevel(logging.WARNING)

# A connection that hangs must not use up the 30 seconds of an invocation. Repeating any of the function's requests is
# harmless: reads are reads, and every write is put-if-absent or guarded by a condition.
_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 4},
    # Skip botocore's parameter validation and its user-agent string, which it rebuilds for each request. The tests and
    # DynamoDB itself validate the requests.
    parameter_validation=False,
    user_agent="csv-ingest",
)


@cache
def s3() -> "S3Client":
    return boto3.client("s3", config=_CONFIG)


@cache
def dynamodb() -> "DynamoDBClient":
    client = boto3.client("dynamodb", config=_CONFIG)
    # Made when first asked for: two threads would make two sets of classes, and each would catch only its own.
    _ = client.exceptions
    # The runtime's botocore changes without a deployment. If it speaks another protocol than JSON, or does not say
    # which, it encodes by itself: otherwise its headers would announce that protocol above a body of JSON.
    if getattr(client.meta.service_model, "resolved_protocol", None) == "json":
        client.meta.events.register_last("before-parameter-build.dynamodb.BatchExecuteStatement", _encode)
        client.meta.events.register("before-call.dynamodb.BatchExecuteStatement", _send_encoded)
    return client


def create() -> None:
    """Make the clients that each delivery needs, which takes longer than anything else at the start."""
    s3()
    dynamodb()


def code_of(error: Exception) -> str | None:
    """The operation and the code of an answer of AWS, without the message, which may quote the request."""
    if not isinstance(error, ClientError):
        return None
    return f"{error.operation_name} answered {error.response['Error']['Code']}"


# The requests that carry the rows are encoded here: their parameters are DynamoDB's JSON already. botocore would look
# up the shape of each value first, a seventh of the cost per row. It still signs, sends, retries and parses.
def _encode(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    context["encoded"] = json.dumps(params).encode()
    params.clear()


def _send_encoded(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    params["body"] = context["encoded"]


@cache
def sqs() -> "SQSClient":
    return boto3.client("sqs", config=_CONFIG)


@cache
def lambda_() -> "LambdaClient":
    return boto3.client("lambda", config=_CONFIG)


@cache
def events() -> "EventBridgeClient":
    return boto3.client("events", config=_CONFIG)


@cache
def sns() -> "SNSClient":
    return boto3.client("sns", config=_CONFIG)


@cache
def secretsmanager() -> "SecretsManagerClient":
    # Asked before each attempt to connect to a database. The attempts are repeated, and this request is not.
    once = Config(read_timeout=2, retries={"mode": "standard", "total_max_attempts": 1})
    return boto3.client("secretsmanager", config=_CONFIG.merge(once))
