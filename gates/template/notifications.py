"""What S3 and EventBridge report about uploads, and who subscribes to topics."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from gates.template.resources import BUCKET, CDK_NOTIFICATIONS, RULE, SUBSCRIPTION, TOPIC, Resource, Resources
from gates.template.values import as_list, at, document, mapping, mappings

_TARGETS = ("Function", "LambdaFunctionArn", "Topic", "TopicArn", "Queue", "QueueArn")
_CREATION = {"Object Created", "AWS API Call via CloudTrail"}
_EVENTS_BY_REASON = {
    "PutObject": "Put",
    "POST Object": "Post",
    "CopyObject": "Copy",
    "CompleteMultipartUpload": "CompleteMultipartUpload",
}
"""EventBridge's reasons for an `Object Created` event, as the kinds of `s3:ObjectCreated`."""


@dataclass(frozen=True, kw_only=True)
class Notification:
    """Events of a bucket, of keys with a prefix and a suffix, that are sent to a target."""

    resource: str
    path: str
    bucket: str
    target: str
    events: tuple[str, ...]
    prefix: str = ""
    suffix: str = ""


def from_buckets(resources: Resources) -> Iterator[Notification]:
    """The notifications that buckets send to functions, topics and queues."""
    for resource in resources.of_type(BUCKET, CDK_NOTIFICATIONS):
        bucket = f"${{{resource.id}}}" if resource.type == BUCKET else resource.get("BucketName")
        for path, configuration in _configurations(resource):
            target = next((configuration[key] for key in _TARGETS if key in configuration), None)
            if target is None:  # EventBridgeConfiguration
                continue
            filters = _filters(configuration)
            yield Notification(
                resource=resource.id,
                path=path,
                bucket=str(bucket),
                target=str(target),
                events=tuple(map(str, as_list(configuration.get("Events", configuration.get("Event"))))),
                prefix=filters.get("prefix", ""),
                suffix=filters.get("suffix", ""),
            )


def _configurations(resource: Resource) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The notification configurations of a bucket, with their paths in its properties."""
    for name, configurations in mapping(resource.get("NotificationConfiguration")).items():
        for number, configuration in enumerate(as_list(configurations)):
            yield f"NotificationConfiguration.{name}.{number}", mapping(configuration)


def _filters(configuration: Mapping[str, Any]) -> dict[str, str]:
    """The `prefix` and the `suffix` of a configuration's keys, as far as it has them."""
    return {
        str(rule.get("Name")).lower(): str(rule.get("Value"))
        for keys in mapping(configuration.get("Filter")).values()
        for rule in mappings(keys, "Rules", "FilterRules")
    }


def from_eventbridge(resources: Resources) -> Iterator[Notification]:
    """The notifications that EventBridge's rules about created objects send to their targets."""
    for rule in resources.of_type(RULE):
        pattern = document(rule.get("EventPattern"))
        if not _is_about_creation(pattern):
            continue
        detail = mapping(pattern.get("detail"))
        reasons = [_EVENTS_BY_REASON.get(str(each), str(each)) for each in as_list(detail.get("reason"))] or ["*"]
        targets = rule.mappings("Targets")
        for target, bucket, (prefix, suffix) in product(targets, _buckets(resources, detail), _keys(detail)):
            yield Notification(
                resource=rule.id,
                path="EventPattern",
                bucket=bucket,
                target=str(target.get("Arn")),
                events=tuple(f"s3:ObjectCreated:{reason}" for reason in reasons),
                prefix=prefix,
                suffix=suffix,
            )


def _is_about_creation(pattern: Mapping[str, Any]) -> bool:
    kinds = as_list(pattern.get("detail-type"))
    return "aws.s3" in as_list(pattern.get("source")) and (not kinds or bool(_CREATION & set(map(str, kinds))))


def _buckets(resources: Resources, detail: Mapping[str, Any]) -> list[str]:
    """The buckets of an event pattern: those it names, otherwise all that send their events to EventBridge."""
    names = as_list(at(detail, "bucket", "name"))
    names += as_list(at(detail, "requestParameters", "bucketName"))
    if names and all(isinstance(name, str) for name in names):
        return names
    return [
        f"${{{bucket.id}}}"
        for bucket in resources.of_type(BUCKET)
        if "EventBridgeConfiguration" in mapping(bucket.get("NotificationConfiguration"))
    ]


def _keys(detail: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The prefixes and suffixes of an event pattern's keys. Other kinds of matchers are taken to match every key."""
    matchers = mappings(detail.get("object"), "key")
    return [(str(each.get("prefix", "")), str(each.get("suffix", ""))) for each in matchers] or [("", "")]


def subscriptions(resources: Resources) -> Iterator[tuple[Any, Any]]:
    """The subscriptions to topics: the topic's ARN and the endpoint."""
    for each in resources.of_type(SUBSCRIPTION):
        yield each.get("TopicArn"), each.get("Endpoint")
    for topic in resources.of_type(TOPIC):
        for subscription in topic.mappings("Subscription"):
            yield f"${{{topic.id}}}", subscription.get("Endpoint")
