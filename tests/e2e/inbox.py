"""Who is told by a deployment: a consumer of events, and a reader of mails."""

import json
from typing import Any

import boto3

from local.deployment import Deployment
from local.waiting import wait_until
from tests.e2e.deployed import SECONDS
from tests.integration.telling import VALIDATOR, arn_of


class Inbox:
    """A queue behind a rule of the bus, and one that has subscribed to the alarm topic, of one deployment."""

    def __init__(self, deployment: Deployment) -> None:
        self._sqs = deployment.pipeline.clients.sqs
        self._events = self._sqs.create_queue(QueueName="consumer")["QueueUrl"]
        self._mails = self._sqs.create_queue(QueueName="mailbox")["QueueUrl"]
        events = boto3.client("events")
        events.put_rule(Name="consumer", EventPattern=json.dumps({"source": ["csv-ingest"]}))
        events.put_targets(Rule="consumer", Targets=[{"Id": "queue", "Arn": arn_of(self._sqs, self._events)}])
        mailbox = arn_of(self._sqs, self._mails)
        boto3.client("sns").subscribe(TopicArn=deployment.pipeline.alarm_topic, Protocol="sqs", Endpoint=mailbox)
        self._seen: list[Any] = []
        self._read: list[str] = []

    def event(self, kind: str, key: str) -> dict[str, Any]:
        """Wait for an event of a kind about an object; returns its detail."""
        found: list[dict[str, Any]] = []

        def came() -> bool:
            self._seen += self._taken(self._events)
            found.extend(
                each["detail"]
                for each in self._seen
                if (each["detail-type"], each["detail"]["object_key"]) == (kind, key)
            )
            return bool(found)

        wait_until(came, f"{kind} of {key}", seconds=SECONDS)
        for each in self._seen:
            VALIDATOR.validate(each)
        return found[0]

    def mail(self, word: str) -> str:
        """Wait for a mail that has a word; returns its text."""
        found: list[str] = []

        def came() -> bool:
            self._read += [
                each["Message"] for each in self._taken(self._mails) if each["Subject"].startswith("csv-ing")
            ]
            found.extend(text for text in self._read if word in text)
            return bool(found)

        wait_until(came, f"a mail that has {word}", seconds=SECONDS)
        return found[0]

    def _taken(self, queue: str) -> list[Any]:
        messages = self._sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            self._sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]
