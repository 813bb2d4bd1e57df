"""Lambda's queue, which takes the events for a function, and the failure queue."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from csv_ingest.model import NotAccepted

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

LIVE = "live"
"""The alias of each function's published version. Its code and its environment change together, and `$LATEST`'s not."""

ACCEPTED = 202
"""https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html: the event is in Lambda's queue."""


MAX_RECEIVED = 10
"""Messages of one answer.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html"""


class Count(NamedTuple):
    """How many messages a queue holds, about."""

    visible: int
    hidden: int
    """In the hands of a command, or of one that died less than five minutes ago."""


def dispatch(lambda_: "LambdaClient", function: str, event: Mapping[str, Any]) -> None:
    """Put an event into Lambda's queue for a function, as S3 does; raises NotAccepted if it was not taken."""
    payload = json.dumps(event).encode()
    answer = lambda_.invoke(FunctionName=function, Qualifier=LIVE, InvocationType="Event", Payload=payload)
    if answer["StatusCode"] != ACCEPTED:
        raise NotAccepted(f"Lambda answered {answer['StatusCode']} to an event, expected {ACCEPTED}")


def count_messages(sqs: "SQSClient", queue: str) -> Count:
    """How many messages are in a queue. Asking hides none of them."""
    answer = sqs.get_queue_attributes(
        QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    )["Attributes"]
    return Count(int(answer["ApproximateNumberOfMessages"]), int(answer["ApproximateNumberOfMessagesNotVisible"]))


def receive(sqs: "SQSClient", queue: str, *, hide_seconds: int) -> "list[MessageTypeDef]":
    """At most ten messages of a queue, with the time when each was sent; none if no server of the queue has one.

    They stay in the queue, and for so many seconds others do not see them.
    """
    answer = sqs.receive_message(
        QueueUrl=queue,
        MaxNumberOfMessages=MAX_RECEIVED,
        VisibilityTimeout=hide_seconds,
        WaitTimeSeconds=1,  # asks all servers of the queue; answers at once if there is a message
        MessageSystemAttributeNames=["SentTimestamp"],
    )
    return answer.get("Messages", [])
