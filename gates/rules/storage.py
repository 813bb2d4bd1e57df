"""Buckets and queues: not public, encrypted in transit, and failed messages kept for as long as SQS can."""

from collections.abc import Iterator, Mapping
from typing import Any

from gates.rules.failures import failure_targets
from gates.rules.rule import CheckContext, Violation, rule
from gates.template import BUCKET, BUCKET_POLICY, QUEUE, as_list, is_false, is_true, mapping, number

_FOURTEEN_DAYS = 14 * 24 * 60 * 60  # seconds, the maximum of SQS
_PUBLIC_ACCESS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")


@rule(
    "bucket-public-access",
    why="One wrong ACL or policy makes the uploads public, unless the bucket blocks public access.",
    fix="Set all four properties of PublicAccessBlockConfiguration to true.",
)
def bucket_blocks_public_access(context: CheckContext) -> Iterator[Violation]:
    for bucket in context.template.of_type(BUCKET):
        block = mapping(bucket.get("PublicAccessBlockConfiguration"))
        if missing := [name for name in _PUBLIC_ACCESS if not is_true(block.get(name))]:
            yield Violation(bucket.id, "PublicAccessBlockConfiguration", f"not true: {', '.join(missing)}")


@rule(
    "bucket-tls",
    why="A misconfigured client sends its files over plain HTTP, and everyone on the way can read them.",
    fix="Deny s3:* on the bucket and on its objects if aws:SecureTransport is false, in an AWS::S3::BucketPolicy.",
)
def bucket_denies_plain_http(context: CheckContext) -> Iterator[Violation]:
    template = context.template
    for bucket in template.of_type(BUCKET):
        denied = {
            template.bucket_and_keys(resource)
            for statement in template.policies_of(bucket, BUCKET_POLICY)
            if _denies_plain_http(statement, "s3")
            for resource in as_list(statement.get("Resource"))
        }
        # `arn:aws:s3:::bucket*` is the bucket and its objects.
        with_objects = any(
            name == "*" or template.bucket_and_keys(name.removesuffix("*"))[0] == bucket.id
            for name, keys in denied
            if name.endswith("*") and not keys
        )
        if not with_objects and not denied >= {(bucket.id, ""), (bucket.id, "*")}:
            yield Violation(bucket.id, "BucketPolicy", "plain HTTP is not denied on the bucket and on its objects")


@rule(
    "queue-tls",
    why="A misconfigured client sends messages over plain HTTP, and everyone on the way can read them.",
    fix="Deny sqs:* if aws:SecureTransport is false, in an AWS::SQS::QueuePolicy.",
)
def queue_denies_plain_http(context: CheckContext) -> Iterator[Violation]:
    template = context.template
    for queue in template.of_type(QUEUE):
        denied = any(
            resource == "*" or template.find(QUEUE, resource) == queue
            for statement in template.policies_of(queue, "AWS::SQS::QueuePolicy", "AWS::SQS::QueueInlinePolicy")
            if _denies_plain_http(statement, "sqs")
            for resource in as_list(statement.get("Resource"))
        )
        if not denied:
            yield Violation(queue.id, "QueuePolicy", "plain HTTP is not denied")


@rule(
    "dead-letter-retention",
    why="What fails on the Friday before a holiday must still be there when somebody is back.",
    fix="Set MessageRetentionPeriod to 1209600 seconds, the maximum of SQS.",
)
def failed_messages_are_kept(context: CheckContext) -> Iterator[Violation]:
    template = context.template
    targets = [target for resource in template.by_id.values() for target in failure_targets(resource)]
    queues = {queue.id: queue for target in targets if (queue := template.find(QUEUE, target))}
    for queue in queues.values():
        given = queue.get("MessageRetentionPeriod")
        seconds = number(given)
        if given is None or (seconds is not None and seconds < _FOURTEEN_DAYS):
            days = "not set: 4 days" if seconds is None else f"{seconds / 86_400:.3g} days"
            yield Violation(queue.id, "MessageRetentionPeriod", days)


RULES = (bucket_blocks_public_access, bucket_denies_plain_http, queue_denies_plain_http, failed_messages_are_kept)


def _denies_plain_http(statement: Mapping[str, Any], service: str) -> bool:
    """Whether a statement denies everybody every action of a service over plain HTTP."""
    principal = statement.get("Principal")
    return (
        statement.get("Effect") == "Deny"
        and "*" in as_list(mapping(principal).get("AWS", principal))
        and bool({"*", f"{service}:*"} & {str(action).lower() for action in as_list(statement.get("Action"))})
        and _is_only_about_plain_http(statement)
    )


def _is_only_about_plain_http(statement: Mapping[str, Any]) -> bool:
    """Whether plain HTTP is a statement's only condition. A second one would let some requests through."""
    conditions = [
        (operator, name.lower(), as_list(value))
        for operator, each in mapping(statement.get("Condition")).items()
        for name, value in mapping(each).items()
    ]
    if len(conditions) != 1:
        return False
    [(operator, name, values)] = conditions
    return (
        operator in ("Bool", "BoolIfExists")
        and name == "aws:securetransport"
        and bool(values)
        and all(map(is_false, values))
    )
