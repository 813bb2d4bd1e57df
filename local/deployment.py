"""The pipeline deployed to MiniStack by the real CDK CLI, and looked at from outside."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import boto3

from local.server import LocalAws, run
from ops.pipeline import Pipeline, wait_until

STACK = "CsvIngest"


class TableRow(NamedTuple):
    """What the rows table says of one row."""

    line: int
    data: str


@dataclass(frozen=True)
class Deployment:
    """A pipeline, with what only a demonstration or a test wants to know of it."""

    pipeline: Pipeline

    def rows(self) -> dict[str, TableRow]:
        """Everything in the rows table, by key."""
        pages = self.pipeline.dynamodb.get_paginator("scan").paginate(
            TableName=self.pipeline.rows_table, ConsistentRead=True
        )
        return {
            item["pk"]["S"]: TableRow(int(item["line"]["N"]), item["data"]["S"])
            for page in pages
            for item in page["Items"]
        }

    def invoke(self, event: Mapping[str, Any]) -> str | None:
        """Invoke the function with an event and wait for its end: None, or how it failed."""
        answer = self.pipeline.lambda_.invoke(FunctionName=self.pipeline.function, Payload=json.dumps(event).encode())
        return answer.get("FunctionError")

    def failures(self) -> list[dict[str, Any]]:
        """What is in the failure queue; it stays there."""
        answer = self.pipeline.sqs.receive_message(
            QueueUrl=self.pipeline.failure_queue, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]

    def failure_of(self, encoded_key: str) -> dict[str, Any]:
        """Wait for a message of an object in the failure queue; it stays there."""
        found: list[dict[str, Any]] = []

        def received() -> bool:
            found.extend(
                failure
                for failure in self.failures()
                if failure["requestPayload"]["Records"][0]["s3"]["object"]["key"] == encoded_key
            )
            return bool(found)

        wait_until(received, f"the failure queue has a message of {encoded_key}")
        return found[0]

    def log_lines(self, function: str) -> Iterator[str]:
        """Everything that a function has logged."""
        configuration = self.pipeline.lambda_.get_function_configuration(FunctionName=function)
        pages = (
            boto3.client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName=configuration["LoggingConfig"]["LogGroup"])
        )
        for page in pages:
            for event in page["events"]:
                yield event["message"]

    def logged(self, message: str, *, function: str | None = None) -> list[dict[str, Any]]:
        """The structured log records with this message, of the ingest function unless another is named."""
        lines = self.log_lines(function or self.pipeline.function)
        records = (json.loads(line) for line in lines if line.startswith("{"))
        return [record for record in records if record.get("message") == message]


def deploy(aws: LocalAws) -> Deployment:
    """`cdk bootstrap` and `cdk deploy`, as a user would; raises RuntimeError with the CLI's words if they fail."""
    # A folder of its own: two deployments at the same time would be in each other's way in cdk.out.
    cdk = ["cdk", "--no-notices", "--output", str(aws.run_dir / "cdk.out")]
    run([*cdk, "bootstrap", "aws://000000000000/us-east-1"], log=aws.run_dir / "bootstrap.log")
    run([*cdk, "deploy", STACK, "--require-approval", "never"], log=aws.run_dir / "deploy.log")
    return Deployment(Pipeline.find(STACK))
