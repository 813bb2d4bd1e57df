"""The notifier of a world: the stream of the ledger as Lambda hands it over, a real bus and a real topic."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
import jsonschema
import pytest

from csv_ingest.notifier import handler
from local.processes import PROJECT
from tests.integration.invoking import Invocations, invocation
from tests.integration.world import World

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

Record = dict[str, Any]

SCHEMA = PROJECT / "docs" / "events" / "schema.json"
VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()), format_checker=jsonschema.FormatChecker())
"""Every event that is sent in a test has to be as the documentation says."""


class Stream:
    """The stream of a world's ledger, as the event source mapping of the deployment reads it."""

    def __init__(self, world: World) -> None:
        self._client = boto3.client("dynamodbstreams")
        self._arn = world.dynamodb.describe_table(TableName=world.files_table)["Table"]["LatestStreamArn"]
        self._positions: dict[str, str] = {}

    def new(self) -> list[Record]:
        """What has come since the last question and passes the filter, as Lambda hands it over."""
        found: list[Record] = []
        for shard in self._client.describe_stream(StreamArn=self._arn)["StreamDescription"]["Shards"]:
            id_ = shard["ShardId"]
            if id_ not in self._positions:
                start: Any = {"StreamArn": self._arn, "ShardId": id_, "ShardIteratorType": "TRIM_HORIZON"}
                self._positions[id_] = self._client.get_shard_iterator(**start)["ShardIterator"]
            while records := (answer := self._client.get_records(ShardIterator=self._positions[id_]))["Records"]:
                self._positions[id_] = answer["NextShardIterator"]
                found += json.loads(json.dumps(records, default=str))
        return [each for each in found if _passes(each)]


@dataclass
class Told:
    """Who is told in a world: a queue behind a rule of the default event bus, and one behind the alarm topic."""

    world: World
    invocations: Invocations
    """What the notifier puts into Lambda's queue for itself."""
    queue: str
    mailbox: str

    def stream(self) -> list[Record]:
        """As Stream.new."""
        return self._stream.new()

    @cached_property
    def _stream(self) -> Stream:
        return Stream(self.world)

    def tell(self, event: Mapping[str, Any] | None = None, *, seconds_left: float = 30) -> None:
        """Invoke the notifier with what is new in the stream, or with an event."""
        handler(dict(event or {"Records": self.stream()}), invocation(seconds_left=seconds_left, function="notifier"))

    def tell_dispatched(self) -> None:
        """Invoke the notifier with what it has dispatched, and with what it dispatches then."""
        while self.invocations.events:
            self.tell(self.invocations.events.pop(0))

    def look(self, *, mail_after: timedelta = timedelta(0)) -> None:
        """Invoke the notifier as its schedule does; what waits for a mail has waited long enough."""
        event = {"source": "aws.events", "detail-type": "Scheduled Event"}
        handler(event, invocation(function="notifier"), mail_after=mail_after)

    def messages(self) -> list[str]:
        """The bodies of what has come to the queue since the last question."""
        return _received(self.world.sqs, self.queue)

    def events(self) -> list[tuple[str, Record]]:
        """The events that have come since the last question: the detail-type and the detail of each."""
        found = list(map(json.loads, self.messages()))
        for each in found:
            VALIDATOR.validate(each)
        return [(each["detail-type"], each["detail"]) for each in found]

    def mails(self) -> list[tuple[str, str]]:
        """The mails that have come since the last question: the subject and the text of each."""
        found = [json.loads(body) for body in _received(self.world.sqs, self.mailbox)]
        return [(each["Subject"], each["Message"]) for each in found]


def told_in(world: World, invocations: Invocations, patch: pytest.MonkeyPatch, **feeds: Mapping[str, Any]) -> Told:
    """The notifier of a world: with the default feed, unless feeds are given."""
    name = uuid.uuid4().hex
    sqs, events, sns = world.sqs, boto3.client("events"), boto3.client("sns")
    queue, mailbox = (sqs.create_queue(QueueName=f"{name}-{what}")["QueueUrl"] for what in ("events", "mails"))
    pattern = {"source": ["csv-ingest"], "detail": {"bucket": [world.bucket]}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn_of(sqs, queue)}])
    topic = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn_of(sqs, mailbox))
    environment = {
        "PIPELINE": "CsvIngest",
        "EVENT_BUS": "default",
        "ALARM_TOPIC": topic,
        "FEEDS": json.dumps(feeds or {"default": {"suffixes": [".csv"]}}),
    }
    for variable, value in environment.items():
        patch.setenv(variable, value)
    told = Told(world, invocations, queue, mailbox)
    told.stream()  # what was before
    return told


def _passes(record: Record) -> bool:
    """As the filter of the event source mapping; tests/infrastructure compares it with the template's."""
    images = record["dynamodb"]
    new, old = images.get("NewImage", {}), images.get("OldImage", {})
    is_forgotten: bool = record["eventName"] == "REMOVE" and old.get("erasing") == {"S": "forget"}
    return is_forgotten or {"feed_status", "settled_at"} <= new.keys()


def arn_of(sqs: "SQSClient", queue: str) -> str:
    """The ARN of the queue at a URL."""
    return sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def _received(sqs: "SQSClient", queue: str) -> list[str]:
    """The messages of a queue, taken out."""
    found = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            found.append(message["Body"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return found
