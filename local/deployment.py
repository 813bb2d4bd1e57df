"""A deployed stack: made by the real CDK CLI, found through its outputs, and looked at from outside."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3

from local.server import LocalAws, run

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

STACK = "CsvIngest"


class StoredRow(NamedTuple):
    """What the rows table says of one row."""

    line: int
    data: str


@dataclass(frozen=True)
class Deployment:
    """The names of what was deployed, and clients that reach it."""

    upload_bucket: str
    rows_table: str
    files_table: str
    failure_queue: str
    alarm_topic: str
    function: str
    log_group: str
    s3: "S3Client"
    dynamodb: "DynamoDBClient"
    lambda_: "LambdaClient"
    sqs: "SQSClient"
    logs: "CloudWatchLogsClient"

    def rows(self) -> dict[str, StoredRow]:
        """Everything in the rows table, by key."""
        return {
            item["pk"]["S"]: StoredRow(int(item["line"]["N"]), item["data"]["S"])
            for page in self.dynamodb.get_paginator("scan").paginate(TableName=self.rows_table, ConsistentRead=True)
            for item in page["Items"]
        }

    def file_record(self, key: str, etag: str) -> dict[str, Any]:
        """The ledger's record of an upload, numbers as int; empty if there is none yet."""
        answer = self.dynamodb.get_item(
            TableName=self.files_table, Key={"object_key": {"S": key}, "entry": {"S": etag}}, ConsistentRead=True
        )
        return {name: int(value["N"]) if "N" in value else value["S"] for name, value in answer.get("Item", {}).items()}

    def settled(self, key: str, etag: str) -> dict[str, Any]:
        """Wait until an upload is settled; its record then."""
        until(lambda: self.file_record(key, etag).get("status") not in {None, "PROCESSING"}, f"{key} is settled")
        return self.file_record(key, etag)

    def next_failure(self) -> dict[str, Any]:
        """Wait for a message in the failure queue; take it out and return its body."""
        messages: list[Any] = []

        def received() -> bool:
            messages.extend(self.sqs.receive_message(QueueUrl=self.failure_queue).get("Messages", []))
            return bool(messages)

        until(received, "the failure queue has a message")
        self.sqs.delete_message(QueueUrl=self.failure_queue, ReceiptHandle=messages[0]["ReceiptHandle"])
        body: dict[str, Any] = json.loads(messages[0]["Body"])
        return body

    def deliver(self, event: Mapping[str, Any]) -> str | None:
        """Invoke the function with an event and wait for its end: None, or how it failed."""
        answer = self.lambda_.invoke(FunctionName=self.function, Payload=json.dumps(event).encode())
        return answer.get("FunctionError")

    def log_lines(self) -> Iterator[str]:
        """Everything that the function has logged."""
        for page in self.logs.get_paginator("filter_log_events").paginate(logGroupName=self.log_group):
            for event in page["events"]:
                yield event["message"]

    def logged(self, message: str) -> list[dict[str, Any]]:
        """The function's structured log records with this message."""
        records = (json.loads(line) for line in self.log_lines() if line.startswith("{"))
        return [record for record in records if record.get("message") == message]


def deploy(aws: LocalAws) -> Deployment:
    """`cdk bootstrap` and `cdk deploy`, as a user would; raises RuntimeError with the CLI's words if they fail."""
    outputs_file = aws.run_dir / "outputs.json"
    cdk = ["cdk", "--no-notices"]
    run([*cdk, "bootstrap", "aws://000000000000/us-east-1"], log=aws.run_dir / "bootstrap.log")
    run(
        [
            *(*cdk, "deploy", STACK, "--require-approval", "never"),
            *("--outputs-file", str(outputs_file), "--output", str(aws.run_dir / "cdk.out")),
        ],
        log=aws.run_dir / "deploy.log",
    )
    outputs = json.loads(outputs_file.read_text())[STACK]
    function = outputs["IngestFunctionName"]
    lambda_ = boto3.client("lambda")
    return Deployment(
        upload_bucket=outputs["UploadBucketName"],
        rows_table=outputs["RowsTableName"],
        files_table=outputs["FilesTableName"],
        failure_queue=outputs["FailureQueueUrl"],
        alarm_topic=outputs["AlarmTopicArn"],
        function=function,
        log_group=lambda_.get_function_configuration(FunctionName=function)["LoggingConfig"]["LogGroup"],
        s3=boto3.client("s3"),
        dynamodb=boto3.client("dynamodb"),
        lambda_=lambda_,
        sqs=boto3.client("sqs"),
        logs=boto3.client("logs"),
    )


def until(condition: Callable[[], bool], what: str, *, seconds: float = 60) -> None:
    """Wait for a condition; raises TimeoutError saying which one did not come about."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s, and still not: {what}")
        time.sleep(0.1)
