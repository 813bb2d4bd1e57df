"""What S3 and EventBridge report about uploads, and who subscribes to topics."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

from .resources import BUCKET, CDK_NOTIFICATIONS, RULE, SUBSCRIPTION, TOPIC, Resource, Resources
from .values import as_list, at, document, is_unknown, mapping, mappings, numbered

_TARGETS = ("Function", "LambdaFunctionArn", "Topic", "TopicArn", "Queue", "QueueArn")
CREATION = "s3:ObjectCreated:"
_CREATION = {"Object Created", "AWS API Call via CloudTrail"}
_EVENTS_BY_REASON = {
    "PutObject": "Put",
    "POST Object": "Post",
    "CopyObject": "Copy",
    "CompleteMultipartUpload": "CompleteMultipartUpload",
}
"""EventBridge's reasons for an `Object Created` event, as the kinds of `s3:ObjectCreated`."""


class KeyFilter(NamedTuple):
    """The keys with a prefix and a suffix, without some of them."""

    prefix: str = ""
    suffix: str = ""
    excluded: tuple[tuple[str, str], ...] = ()
    """Prefixes and suffixes, in pairs, of the keys that do not match."""


def created(events: Iterable[str]) -> set[str]:
    """The kinds of creation among some events, such as `Put` or `*`; an unknown event may be a creation."""
    return {event.removeprefix(CREATION) for event in events if event.startswith(CREATION) or is_unknown(event)}


@dataclass(frozen=True, kw_only=True)
class Notification:
    """Events of a bucket, of some keys, that are sent to a target."""

    resource: str
    path: str
    bucket: str
    target: str
    events: tuple[str, ...]
    keys: KeyFilter

    @property
    def created(self) -> set[str]:
        """The kinds of creation that are told."""
        return created(self.events)


def notifications(resources: Resources) -> list[Notification]:
    """What buckets, and EventBridge's rules about uploads, tell whom."""
    return [*from_buckets(resources), *from_eventbridge(resources)]


def from_buckets(resources: Resources) -> Iterator[Notification]:
    """The notifications that buckets send to functions, topics and queues."""
    for resource in resources.of_type(BUCKET, CDK_NOTIFICATIONS):
        bucket = f"${{{resource.id}}}" if resource.type == BUCKET else resource.get("BucketName")
        for path, configuration in _configurations(resource):
            target = next((configuration[key] for key in _TARGETS if key in configuration), None)
            if target is None:  # EventBridgeConfiguration
                continue
            events = configuration.get("Events", at(configuration, "Event"))
            yield Notification(
                resource=resource.id,
                path=path,
                bucket=str(bucket),
                target=str(target),
                events=tuple(map(str, as_list(events))),
                keys=_filtered(configuration),
            )


def _configurations(resource: Resource) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The notification configurations of a bucket, with their paths in its properties."""
    for name, configurations in mapping(resource.get("NotificationConfiguration")).items():
        for number, configuration in numbered(configurations):
            yield f"NotificationConfiguration.{name}.{number}", mapping(configuration)


def _filtered(configuration: Mapping[str, Any]) -> KeyFilter:
    """The keys of a bucket's notification configuration."""
    values = {
        str(at(rule, "Name")).lower(): str(at(rule, "Value"))
        for keys in mapping(at(configuration, "Filter")).values()
        for rule in mappings(keys, "Rules", "FilterRules")
    }
    unknown = next(filter(is_unknown, values), "")
    return KeyFilter(values.get("prefix", unknown), values.get("suffix", unknown))


def from_eventbridge(resources: Resources) -> Iterator[Notification]:
    """The notifications that EventBridge's rules about created objects send to their targets."""
    for rule in resources.of_type(RULE):
        pattern = document(rule.get("EventPattern"))
        if not _is_about_creation(pattern):
            continue
        detail = mapping(at(pattern, "detail"))
        targets = rule.mappings("Targets")
        for target, bucket, keys in product(targets, _buckets(resources, detail), _keys(detail)):
            yield Notification(
                resource=rule.id,
                path="EventPattern",
                bucket=bucket,
                target=str(at(target, "Arn")),
                events=tuple(f"{CREATION}{kind}" for kind in _kinds(detail)),
                keys=keys,
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


def _kinds(detail: Mapping[str, Any]) -> list[str]:
    """The kinds of creation in an event pattern: `*` for all, unknown text for what is no list of names."""
    reasons = as_list(at(detail, "reason"))
    return [_EVENTS_BY_REASON.get(each, each) if isinstance(each, str) else "${a pattern}" for each in reasons] or ["*"]


def _keys(detail: Mapping[str, Any]) -> list[KeyFilter]:
    """The keys of an event pattern. Kinds of matchers that are not known here are taken to match every key."""
    matchers = as_list(at(detail, "object", "key")) + as_list(at(detail, "requestParameters", "key"))
    return [_matched(each) for each in matchers] or [KeyFilter()]


def _matched(matcher: Any) -> KeyFilter:
    """The keys that one matcher of an event pattern matches."""
    if isinstance(matcher, str):
        return KeyFilter(matcher, matcher)
    if isinstance(pattern := at(matcher, "wildcard"), str):
        return KeyFilter(pattern.partition("*")[0], pattern.rpartition("*")[2])
    excluded = as_list(at(matcher, "anything-but"))
    prefix, suffix = (value if isinstance(value := at(matcher, name), str) else "" for name in ("prefix", "suffix"))
    return KeyFilter(prefix, suffix, tuple(pair for each in excluded for pair in _excluded(each)))


def _excluded(matcher: Any) -> Iterator[tuple[str, str]]:
    """The prefixes and suffixes of the keys that `anything-but` excludes."""
    if isinstance(matcher, str):
        yield matcher, matcher
    for prefix in as_list(at(matcher, "prefix")):
        yield str(prefix), ""
    for suffix in as_list(at(matcher, "suffix")):
        yield "", str(suffix)
    for pattern in map(str, as_list(at(matcher, "wildcard"))):
        if pattern.count("*") == 1:
            prefix, _, suffix = pattern.partition("*")
            yield prefix, suffix


def subscriptions(resources: Resources) -> Iterator[tuple[Any, Any]]:
    """The subscriptions to topics: the topic's ARN and the endpoint."""
    for each in resources.of_type(SUBSCRIPTION):
        yield each.get("TopicArn"), each.get("Endpoint")
    for topic in resources.of_type(TOPIC):
        for subscription in topic.mappings("Subscription"):
            yield f"${{{topic.id}}}", at(subscription, "Endpoint")
