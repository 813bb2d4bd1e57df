"""What a template connects with what: functions with their sources, roles with their statements, queues with alarms."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import product
from typing import Any

from stacks.gates.intrinsics import Given, resolve

FUNCTION = "AWS::Lambda::Function"
BUCKET = "AWS::S3::Bucket"
QUEUE = "AWS::SQS::Queue"
TOPIC = "AWS::SNS::Topic"
ROLE = "AWS::IAM::Role"
RULE = "AWS::Events::Rule"
SCHEDULE = "AWS::Scheduler::Schedule"
MANAGED_POLICY = "AWS::IAM::ManagedPolicy"
CDK_NOTIFICATIONS = "Custom::S3BucketNotifications"

ASYNCHRONOUS = frozenset({"s3.amazonaws.com", "sns.amazonaws.com", "events.amazonaws.com"})
"""Principals that do not wait for the function's answer: what fails is retried, then forgotten."""

_NAMES = {
    FUNCTION: "FunctionName",
    BUCKET: "BucketName",
    QUEUE: "QueueName",
    TOPIC: "TopicName",
    ROLE: "RoleName",
    "AWS::Logs::LogGroup": "LogGroupName",
    MANAGED_POLICY: "ManagedPolicyName",
}
_NOTIFICATION_TARGETS = ("Function", "LambdaFunctionArn", "Topic", "TopicArn", "Queue", "QueueArn")
# The whole text, or the end of an ARN or a path; a name that only contains another one is another name.
_REFERENCE = re.compile(r"(?:.*[:/])?\$\{(\w+)(?:\.[\w.]+)?\}(?::[\w$-]+)?")
_QUALIFIER = re.compile(r".*\}:([\w$-]+)")
_ON_CREATION = {"Object Created", "AWS API Call via CloudTrail"}
_KINDS_BY_REASON = {
    "PutObject": "Put",
    "POST Object": "Post",
    "CopyObject": "Copy",
    "CompleteMultipartUpload": "CompleteMultipartUpload",
}
_STATEMENT = ("Action", "NotAction", "Resource", "NotResource")
_PRINCIPALS = (ROLE, "AWS::IAM::User", "AWS::IAM::Group")
_POLICIES = ("AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::UserPolicy", "AWS::IAM::GroupPolicy")
_S3_ARN = re.compile(r"arn:(?:\$\{AWS::Partition\}|[\w*-]+):s3:::(.*)")
_ARN_OF_BUCKET = re.compile(r"(\$\{\w+)\.Arn(\}.*)")

# What AWS's own policies allow, as far as a rule asks. https://docs.aws.amazon.com/aws-managed-policy/latest/reference/
_AWS_POLICIES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "AdministratorAccess": (("*",), ("*",)),
    "PowerUserAccess": (("*",), ("*",)),
    "AmazonS3FullAccess": (("s3:*", "s3-object-lambda:*"), ("*",)),
    "AmazonS3ReadOnlyAccess": (("s3:Get*", "s3:List*", "s3:Describe*"), ("*",)),
    "AmazonDynamoDBFullAccess": (("dynamodb:*",), ("*",)),
    "AmazonSQSFullAccess": (("sqs:*",), ("*",)),
    "AmazonSNSFullAccess": (("sns:*",), ("*",)),
    "CloudWatchFullAccess": (("cloudwatch:*", "logs:*", "sns:*"), ("*",)),
    "CloudWatchLogsFullAccess": (("logs:*",), ("*",)),
    "AWSLambda_FullAccess": (("lambda:*",), ("*",)),
    "AWSLambdaExecute": (("logs:*", "s3:GetObject", "s3:PutObject"), ("arn:aws:s3:::*",)),
    "AmazonDynamoDBFullAccess_v2": (("dynamodb:*",), ("*",)),
    "AmazonDynamoDBReadOnlyAccess": (("dynamodb:Get*", "dynamodb:List*", "dynamodb:Query", "dynamodb:Scan"), ("*",)),
    "ReadOnlyAccess": (("s3:Get*", "s3:List*", "dynamodb:Get*", "dynamodb:Query", "sqs:Get*"), ("*",)),
    "AWSLambdaSQSQueueExecutionRole": (("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"), ("*",)),
}


@dataclass(frozen=True)
class Resource:
    """A resource with its intrinsics worked out."""

    id: str
    type: str
    properties: Mapping[str, Any] = field(repr=False)
    metadata: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Statement:
    """What a policy says of roles of the template."""

    resource: str
    path: str
    roles: frozenset[str]
    actions: tuple[str, ...] = ()
    other_than: tuple[str, ...] = ()
    """NotAction: every action but these."""
    resources: tuple[str, ...] = ()
    outside_of: tuple[str, ...] = ()
    """NotResource: every resource but these."""
    always: bool = True
    """Whether it has no condition."""

    def names(self, action: str) -> bool:
        """Whether it is about an action."""
        named = (fnmatchcase(action.lower(), each.lower()) for each in (*self.actions, *self.other_than))
        return any(named) != bool(self.other_than)


@dataclass(frozen=True)
class Trigger:
    """Uploads to a bucket, of keys between a prefix and a suffix, that start a function."""

    resource: str
    path: str
    bucket: str
    function: str
    events: tuple[str, ...]
    prefix: str
    suffix: str


class Template:
    """A CloudFormation template, as its JSON or YAML reads. Raises InvalidTemplate."""

    def __init__(self, body: Mapping[str, Any], given: Given | None = None) -> None:
        self.resources = {
            name: Resource(name, each["Type"], mapping(each.get("Properties")), mapping(each.get("Metadata")))
            for name, each in resolve(body, given).items()
        }
        self._by_type = defaultdict(list)
        for resource in self.resources.values():
            self._by_type[resource.type].append(resource)

    def all(self, *types: str) -> list[Resource]:
        return [resource for kind in types for resource in self._by_type.get(kind, [])]

    def named(self, kind: str, text: Any) -> Resource | None:
        """The resource of a type that a name, an ARN or a URL means, by logical id or by the name that it is given."""
        text = str(text)
        reference = _REFERENCE.fullmatch(text)
        if reference and (found := self.resources.get(reference[1])):
            return found if found.type == kind else None
        for resource in self.all(kind):
            given = resource.properties.get(_NAMES[kind]) if kind in _NAMES else None
            if given and (text == given or text.endswith((f":{given}", f"/{given}"))):
                return resource
        return None

    def invoked(self, text: Any) -> tuple[str, str] | None:
        """The function that a name or an ARN means, also through an alias or a version, and the qualifier."""
        for kind in ("AWS::Lambda::Alias", "AWS::Lambda::Version"):
            if qualified := self.named(kind, text):
                inner = self.invoked(qualified.properties.get("FunctionName"))
                return inner and (inner[0], str(qualified.properties.get("Name", qualified.id)))
        if found := self.named(FUNCTION, text):
            qualifier = _QUALIFIER.fullmatch(str(text))
            return found.id, qualifier[1] if qualifier else "$LATEST"
        name, _, qualifier_ = str(text).rpartition(":")
        found = self.named(FUNCTION, name) if ":function:" in name else None
        return (found.id, qualifier_) if found else None

    def function(self, text: Any) -> str | None:
        """The function that a name or an ARN means."""
        invoked = self.invoked(text)
        return invoked[0] if invoked else None

    def bucket_and_keys(self, text: str) -> tuple[str, str]:
        """What the name or the ARN of a bucket or of objects means: the bucket (logical id, or name) and the keys."""
        name, _, keys = re.sub(_ARN_OF_BUCKET, r"\1\2", re.sub(_S3_ARN, r"\1", str(text))).partition("/")
        found = self.named(BUCKET, name)
        return (found.id if found else name), keys

    @cached_property
    def asynchronous(self) -> frozenset[tuple[str, str]]:
        """The functions that S3, SNS or EventBridge starts, each with the qualifier by which it does."""
        targets: list[Any] = [each.target for each in self._notifications()]
        targets += [target.get("Arn") for rule in self.all(RULE) for target in _mappings(rule, "Targets")]
        targets += [target.get("Arn") for each in self.all(SCHEDULE) for target in _mappings(each, "Target")]
        targets += [endpoint for _, endpoint in self._subscriptions()]
        started = {invoked for target in targets if (invoked := self.invoked(target))}
        # A permission alone says less: it may be for the function, and what starts it start an alias.
        permitted = {
            invoked
            for permission in self.all("AWS::Lambda::Permission")
            if str(permission.properties.get("Principal")) in ASYNCHRONOUS
            and (invoked := self.invoked(permission.properties.get("FunctionName")))
        }
        known = {function for function, _ in started}
        return frozenset(started | {(function, by) for function, by in permitted if function not in known})

    @cached_property
    def triggers(self) -> list[Trigger]:
        """What uploads start: directly, or through topics, queues and EventBridge."""
        return [
            Trigger(
                resource=each.resource,
                path=each.path,
                bucket=self.bucket_and_keys(each.bucket)[0],
                function=function,
                events=each.events,
                prefix=each.prefix,
                suffix=each.suffix,
            )
            for each in [*self._notifications(), *self._rules_on_uploads()]
            for function in sorted(self._started_by(each.target))
        ]

    @cached_property
    def statements(self) -> list[Statement]:
        """All that the template's IAM policies, and AWS's own that it names, allow."""
        return [*self._said("Allow"), *self._by_aws()]

    @cached_property
    def denials(self) -> list[Statement]:
        """All that they deny."""
        return list(self._said("Deny"))

    def roles_of(self, function: str) -> set[str]:
        """The role of a function, if it is in the template."""
        role = self.named(ROLE, self.resources[function].properties.get("Role"))
        return {role.id} if role else set()

    def policies(self, target: Resource, *kinds: str) -> list[Mapping[str, Any]]:
        """The statements of the resource policies of some types that are on a resource."""
        return [
            statement
            for policy in self.all(*kinds)
            for name in ("Bucket", "Queues", "Queue")
            if target in [self.named(target.type, each) for each in as_list(policy.properties.get(name))]
            for statement in _statements_of(policy.properties.get("PolicyDocument"))
        ]

    def _notifications(self) -> Iterator["_Notification"]:
        for resource in self.all(BUCKET, CDK_NOTIFICATIONS):
            bucket = f"${{{resource.id}}}" if resource.type == BUCKET else resource.properties.get("BucketName")
            for name, configurations in mapping(resource.properties.get("NotificationConfiguration")).items():
                for number, each in enumerate(map(mapping, as_list(configurations))):
                    target = next((each[key] for key in _NOTIFICATION_TARGETS if key in each), None)
                    if target is None:  # EventBridgeConfiguration
                        continue
                    rules = {
                        str(rule.get("Name")).lower(): str(rule.get("Value"))
                        for keys in mapping(each.get("Filter")).values()
                        for rule in _mappings(keys, "Rules", "FilterRules")
                    }
                    yield _Notification(
                        resource=resource.id,
                        path=f"NotificationConfiguration.{name}.{number}",
                        bucket=str(bucket),
                        target=str(target),
                        events=tuple(map(str, as_list(each.get("Events", each.get("Event"))))),
                        prefix=rules.get("prefix", ""),
                        suffix=rules.get("suffix", ""),
                    )

    def _rules_on_uploads(self) -> Iterator["_Notification"]:
        """The EventBridge rules on what is created in a bucket."""
        for rule in self.all(RULE):
            pattern = document(rule.properties.get("EventPattern"))
            kinds = as_list(pattern.get("detail-type"))
            if "aws.s3" not in as_list(pattern.get("source")) or (kinds and not _ON_CREATION & set(map(str, kinds))):
                continue
            detail = mapping(pattern.get("detail"))
            names = as_list(mapping(detail.get("bucket")).get("name"))
            names += as_list(mapping(detail.get("requestParameters")).get("bucketName"))
            if not names or not all(isinstance(name, str) for name in names):
                # Any bucket that sends its events to EventBridge.
                names = [
                    f"${{{bucket.id}}}"
                    for bucket in self.all(BUCKET)
                    if "EventBridgeConfiguration" in mapping(bucket.properties.get("NotificationConfiguration"))
                ]
            reasons = [_KINDS_BY_REASON.get(str(each), str(each)) for each in as_list(detail.get("reason"))] or ["*"]
            for target, name, keys in product(_mappings(rule, "Targets"), names, _keys_of(detail)):
                yield _Notification(
                    resource=rule.id,
                    path="EventPattern",
                    bucket=str(name),
                    target=str(target.get("Arn")),
                    events=tuple(f"s3:ObjectCreated:{kind}" for kind in reasons),
                    prefix=keys[0],
                    suffix=keys[1],
                )

    def _subscriptions(self) -> Iterator[tuple[Any, Any]]:
        """The subscriptions to topics: the topic's ARN, and who is told."""
        for each in self.all("AWS::SNS::Subscription"):
            yield each.properties.get("TopicArn"), each.properties.get("Endpoint")
        for topic in self.all(TOPIC):
            for subscription in _mappings(topic, "Subscription"):
                yield f"${{{topic.id}}}", subscription.get("Endpoint")

    def subscribed(self, topic: str) -> bool:
        """Whether somebody is told what is published to a topic."""
        return any((found := self.named(TOPIC, arn)) and found.id == topic for arn, _ in self._subscriptions())

    def _started_by(self, target: Any) -> set[str]:
        """The functions that a message to a function, a topic or a queue starts."""
        if function := self.function(target):
            return {function}
        next_: list[Any] = []
        if topic := self.named(TOPIC, target):
            next_ = [end for arn, end in self._subscriptions() if self.named(TOPIC, arn) == topic]
        elif queue := self.named(QUEUE, target):
            next_ = [
                poller.properties.get("FunctionName")
                for poller in self.all("AWS::Lambda::EventSourceMapping")
                if self.named(QUEUE, poller.properties.get("EventSourceArn")) == queue
            ]
        return {function for each in next_ for function in self._started_by(each)}

    def _said(self, effect: str) -> Iterator[Statement]:
        for owner in self.all(*_PRINCIPALS):
            for number, policy in enumerate(_mappings(owner, "Policies")):
                statements = enumerate(_statements_of(policy.get("PolicyDocument")))
                yield from _said(effect, owner.id, f"Policies.{number}.PolicyDocument", statements, {owner.id})
        for resource in self.all(*_POLICIES, MANAGED_POLICY):
            statements = enumerate(_statements_of(resource.properties.get("PolicyDocument")))
            yield from _said(effect, resource.id, "PolicyDocument", statements, self._roles_with(resource))
        for resource in self.all("AWS::S3::BucketPolicy"):
            for number, statement in enumerate(_statements_of(resource.properties.get("PolicyDocument"))):
                if roles := self._roles_meant(statement.get("Principal")):
                    yield from _said(effect, resource.id, "PolicyDocument", [(number, statement)], roles)

    def _by_aws(self) -> Iterator[Statement]:
        """What AWS's own policies allow, that a principal of the template has."""
        for owner in self.all(*_PRINCIPALS):
            for number, arn in enumerate(as_list(owner.properties.get("ManagedPolicyArns"))):
                path, name = f"ManagedPolicyArns.{number}", str(arn).rpartition("/")[2]
                if ":" in str(arn) and ":iam::aws:policy/" not in str(arn):
                    continue  # somebody else's
                actions, resources = _AWS_POLICIES.get(name, ((), ()))
                if not actions and name.endswith("FullAccess"):
                    actions = (f"{name}: all actions of its service, *",)
                if actions:
                    yield Statement(owner.id, path, frozenset({owner.id}), actions=actions, resources=resources)

    def _roles_with(self, policy: Resource) -> set[str]:
        """The roles that a policy is attached to, by itself or by them."""
        names = [*as_list(policy.properties.get("Roles")), *as_list(policy.properties.get("RoleName"))]
        attached = {role.id for name in names if (role := self.named(ROLE, name))}
        if policy.type != MANAGED_POLICY:
            return attached
        return attached | {
            each.id
            for each in self.all(ROLE)
            for arn in as_list(each.properties.get("ManagedPolicyArns"))
            if self.named(MANAGED_POLICY, arn) == policy
        }

    def _roles_meant(self, principal: Any) -> set[str]:
        """The roles of the template that a resource policy is about."""
        arns = as_list(principal.get("AWS")) if isinstance(principal, Mapping) else as_list(principal)
        if "*" in arns:
            return {role.id for role in self.all(ROLE)}
        return {role.id for arn in arns if (role := self.named(ROLE, arn))}


@dataclass(frozen=True, kw_only=True)
class _Notification:
    resource: str
    path: str
    bucket: str
    target: str
    events: tuple[str, ...]
    prefix: str = ""
    suffix: str = ""


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a mapping; nothing otherwise, since what is no mapping here has nothing to be checked."""
    return value if isinstance(value, Mapping) else {}


def document(value: Any) -> Mapping[str, Any]:
    """A policy or a pattern, which may also be written as JSON text; nothing if it is neither."""
    if isinstance(value, str):
        try:
            return mapping(json.loads(value))
        except ValueError:
            return {}
    return mapping(value)


def as_list(value: Any) -> list[Any]:
    """The value as CloudFormation reads it where a list is allowed: one thing is a list of one, lists are joined."""
    if value is None:
        return []
    return [inner for each in value for inner in as_list(each)] if isinstance(value, list) else [value]


def _mappings(parent: Any, *names: str) -> list[Mapping[str, Any]]:
    properties = parent.properties if isinstance(parent, Resource) else mapping(parent)
    return [mapping(each) for name in names for each in as_list(properties.get(name))]


def _statements_of(text: Any) -> list[Mapping[str, Any]]:
    return _mappings(document(text), "Statement")


def _keys_of(detail: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The prefixes and suffixes of keys that an event pattern takes; what it says otherwise is left open."""
    matchers = map(mapping, as_list(mapping(detail.get("object")).get("key")))
    return [(str(each.get("prefix", "")), str(each.get("suffix", ""))) for each in matchers] or [("", "")]


def _said(
    effect: str, resource: str, place: str, statements: Iterable[tuple[int, Mapping[str, Any]]], roles: set[str]
) -> Iterator[Statement]:
    for number, statement in statements:
        if statement.get("Effect") == effect:
            texts = {name: tuple(map(str, as_list(statement.get(name)))) for name in _STATEMENT}
            yield Statement(
                resource=resource,
                path=f"{place}.Statement.{number}",
                roles=frozenset(roles),
                actions=texts["Action"],
                other_than=texts["NotAction"],
                resources=texts["Resource"],
                outside_of=texts["NotResource"],
                always="Condition" not in statement,
            )
