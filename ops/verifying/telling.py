"""Who is told: a consumer on the event bus, and people by an alarm."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import boto3

from csv_ingest.configuration import NotifierConfig
from csv_ingest.queues import LIVE

from .report import Failed, Skipped
from .sample import Sample
from .trial import Trial

ATTEMPTS = 3
"""A new rule takes some time to be there: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rules.html"""


def event(trial: Trial) -> str:
    """An event about a complete file comes to a consumer on the bus; its queue and rule are made for that."""
    sample = Sample(trial)
    with _consumer(trial) as queue:
        for number in range(ATTEMPTS):
            key = trial.key(f"told-{number}")
            trial.upload(key, sample.file(sample.records(1, f"told-{number}")))
            if kind := _told(trial, queue, key):
                return kind
    raise Failed(f"no event about {ATTEMPTS} files came: see NotifierErrors in docs/runbook.md")


def _told(trial: Trial, queue: str, key: str) -> str:
    """Of which kind the first event about an object is that comes within a minute; empty if none does."""
    told: list[str] = []

    def came() -> bool:
        messages = trial.pipeline.clients.sqs.receive_message(QueueUrl=queue).get("Messages", [])
        found = [json.loads(message["Body"]) for message in messages]
        told.extend(each["detail-type"] for each in found if each["detail"].get("object_key") == key)
        return bool(told)

    with suppress(Failed):
        trial.wait_until(came, "", seconds=60)
    return told[0] if told else ""


@contextmanager
def _consumer(trial: Trial) -> Iterator[str]:
    """A queue that gets this run's events; gone after the block."""
    name, sqs, events = trial.name, trial.pipeline.clients.sqs, boto3.client("events")
    bus = _bus(trial)
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    try:
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        may_send = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
        policy = {"Version": "2012-10-17", "Statement": [may_send | {"Resource": arn}]}
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
        pattern = {"source": ["csv-ingest"], "detail": {"object_key": [{"prefix": trial.folder}]}}
        events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))
        try:
            events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
            yield queue
        finally:
            with suppress(events.exceptions.ResourceNotFoundException):
                events.remove_targets(Rule=name, EventBusName=bus, Ids=["queue"])
            events.delete_rule(Name=name, EventBusName=bus)
    finally:
        sqs.delete_queue(QueueUrl=queue)


def _bus(trial: Trial) -> str:
    deployed = trial.pipeline.clients.lambda_.get_function_configuration(
        FunctionName=trial.pipeline.notifier, Qualifier=LIVE
    )
    bus = NotifierConfig.from_environment(deployed["Environment"]["Variables"]).event_bus
    if bus.startswith("arn:") and bus.split(":")[4] != deployed["FunctionArn"].split(":")[4]:
        raise Skipped(f"the bus {bus} is of another account: look there")
    return bus.rpartition("/")[2]


def alarm(trial: Trial) -> str:
    """An alarm that goes off publishes to the alarm topic, to which somebody has subscribed."""
    cloudwatch, topic = trial.pipeline.clients.cloudwatch, trial.pipeline.alarm_topic
    subscribed = boto3.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    if not subscribed:
        raise Failed(
            f"nobody has subscribed to {topic}, so that no alarm reaches anybody: set alarm_email, or subscribe"
        )
    if pending := [each["Endpoint"] for each in subscribed if each["SubscriptionArn"] == "PendingConfirmation"]:
        raise Failed(f"{pending[0]} has not confirmed its subscription: open the link in the mail of AWS")
    found = cloudwatch.describe_alarms(AlarmNamePrefix=f"{trial.pipeline.stack}-")["MetricAlarms"]
    ours = {each["AlarmName"]: each["StateValue"] for each in found if topic in each.get("AlarmActions", [])}
    if not ours:
        raise Failed(f"no alarm of {trial.pipeline.stack} has the topic {topic} as its action: deploy again")
    if not (quiet := [name for name, state in ours.items() if state != "ALARM"]):
        raise Skipped("every alarm is on")
    if trial.is_local:
        raise Skipped("MiniStack carries out no actions of alarms")
    begun = datetime.now(UTC)
    cloudwatch.set_alarm_state(AlarmName=quiet[0], StateValue="ALARM", StateReason=f"`verify`, run {trial.run}: a test")

    def published() -> bool:
        history = cloudwatch.describe_alarm_history(AlarmName=quiet[0], HistoryItemType="Action", StartDate=begun)
        return any("Successfully executed" in each["HistorySummary"] for each in history["AlarmHistoryItems"])

    try:
        trial.wait_until(published, f"the alarm {quiet[0]} published nothing: look at its history in CloudWatch")
    finally:
        cloudwatch.set_alarm_state(AlarmName=quiet[0], StateValue="OK", StateReason="the test has ended")
    return quiet[0]
