"""Buckets and queues: not public, encrypted in transit, and failed messages kept for as long as SQS can."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..template import (
    BUCKET,
    BUCKET_POLICY,
    QUEUE,
    Attached,
    Template,
    as_list,
    at,
    is_false,
    is_true,
    is_unknown,
    mapping,
    number,
)
from .failures import failure_targets
from .rule import CheckContext, Violation, rule, unknown

_FOURTEEN_DAYS = 14 * 24 * 60 * 60  # seconds, the maximum of SQS
_PUBLIC_ACCESS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")


@rule(
    "bucket-public-access",
    why="One wrong ACL or policy makes the uploads public, if the bucket does not block public access.",
    fix="Set all four properties of PublicAccessBlockConfiguration to true, or leave it out: S3 blocks by default.",
)
def bucket_blocks_public_access(context: CheckContext) -> Iterator[Violation]:
    # Of a new bucket, S3 blocks all public access since April 2023, unless the template says otherwise:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/create-bucket-faq.html
    buckets = context.template.of_type(BUCKET)
    for bucket in (each for each in buckets if each.get("PublicAccessBlockConfiguration") is not None):
        block = {name: bucket.get("PublicAccessBlockConfiguration", name) for name in _PUBLIC_ACCESS}
        missing = [name for name, value in block.items() if not is_true(value)]
        if certain := [name for name in missing if not is_unknown(block[name])]:
            yield Violation(bucket.id, "PublicAccessBlockConfiguration", f"not true: {', '.join(certain)}")
        elif missing:
            yield unknown(bucket.id, "PublicAccessBlockConfiguration", ", ".join(missing))


@rule(
    "bucket-tls",
    why="A misconfigured client sends its files over plain HTTP, and everyone on the way can read them.",
    fix="Deny s3:* on the bucket and on its objects if aws:SecureTransport is false, in an AWS::S3::BucketPolicy.",
)
def bucket_denies_plain_http(context: CheckContext) -> Iterator[Violation]:
    template = context.template
    for bucket in template.of_type(BUCKET):
        policies = template.attached_to(bucket, BUCKET_POLICY)
        denied = {
            template.bucket_and_keys(resource)
            for each in policies
            if each.certain and _denies_plain_http(each.statement, "s3")
            for resource in as_list(each.statement.get("Resource"))
        }
        # `arn:aws:s3:::bucket*` is the bucket and its objects.
        with_objects = any(
            name == "*" or template.bucket_and_keys(name.removesuffix("*"))[0] == bucket.id
            for name, keys in denied
            if name.endswith("*") and not keys
        )
        if not with_objects and not denied >= {(bucket.id, ""), (bucket.id, "*")}:
            if unknown_denials := _unknown_denials(template, policies, "s3"):
                yield unknown(bucket.id, "BucketPolicy", unknown_denials)
            else:
                yield Violation(bucket.id, "BucketPolicy", "plain HTTP is not denied on the bucket and on its objects")


@rule(
    "queue-tls",
    why="A misconfigured client sends messages over plain HTTP, and everyone on the way can read them.",
    fix="Deny sqs:* if aws:SecureTransport is false, in an AWS::SQS::QueuePolicy.",
)
def queue_denies_plain_http(context: CheckContext) -> Iterator[Violation]:
    template = context.template
    for queue in template.of_type(QUEUE):
        policies = template.attached_to(queue, "AWS::SQS::QueuePolicy", "AWS::SQS::QueueInlinePolicy")
        denied = any(
            resource == "*" or template.find(QUEUE, resource) == queue
            for each in policies
            if each.certain and _denies_plain_http(each.statement, "sqs")
            for resource in as_list(each.statement.get("Resource"))
        )
        if not denied and (unknown_denials := _unknown_denials(template, policies, "sqs")):
            yield unknown(queue.id, "QueuePolicy", unknown_denials)
        elif not denied:
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
        if is_unknown(given):
            yield unknown(queue.id, "MessageRetentionPeriod", given)
        elif given is None or (seconds is not None and seconds < _FOURTEEN_DAYS):
            days = "not set: 4 days" if seconds is None else f"{seconds / 86_400:.3g} days"
            yield Violation(queue.id, "MessageRetentionPeriod", days)


RULES = (bucket_blocks_public_access, bucket_denies_plain_http, queue_denies_plain_http, failed_messages_are_kept)


def _unknown_denials(template: Template, policies: list[Attached], service: str) -> str:
    """What is unknown in the statements that may deny plain HTTP; an empty text if no statement may."""
    found = []
    for policy, certain, statement in policies:
        effect = at(statement, "Effect")
        parts = [
            effect,
            *as_list(at(statement, "Action")),
            *(at(statement, name) for name in ("Principal", "Condition")),
        ]
        parts = [each for each in parts if isinstance(each, str) and is_unknown(each)]
        if parts and (effect == "Deny" or effect in parts):
            found.append(f"{', '.join(dict.fromkeys(parts))} in {policy}")
        elif _denies_plain_http(statement, service):
            resources = map(str, as_list(statement.get("Resource")))
            found += [f"{each} in {policy}" for each in resources if template.is_outside(each.removesuffix("/*"))]
            found += [] if certain else [f"what {policy} is attached to"]
    return ", ".join(dict.fromkeys(found))


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
