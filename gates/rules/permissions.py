"""What IAM policies allow: each action, each resource and each bucket is named."""

import re
from collections.abc import Iterator

from ..template import Statement, arn_parts, is_unknown, is_wild
from .rule import CheckContext, Violation, rule, unknown

# AWS cannot restrict these actions to a resource: https://docs.aws.amazon.com/service-authorization/latest/reference/
_ACCOUNT_WIDE = frozenset(
    f"{service}:{action}".lower()
    for service, actions in {
        "s3": "ListAllMyBuckets GetAccountPublicAccessBlock PutAccountPublicAccessBlock ListJobs ListAccessPoints",
        "dynamodb": "ListTables ListBackups ListExports ListGlobalTables ListImports ListStreams DescribeLimits",
        "sqs": "ListQueues",
    }.items()
    for action in actions.split()
)


@rule(
    "iam-wildcard-action",
    why="A wildcard also allows actions that nobody intended, and every action that AWS adds later.",
    fix="Name each action that is called.",
)
def actions_are_named(context: CheckContext) -> Iterator[Violation]:
    for statement in context.template.allowed:
        wild = [action for action in statement.actions if is_wild(action)]
        wild += [f"all but {action}" for action in statement.not_actions]
        if wild:
            yield Violation(statement.resource, statement.path, ", ".join(wild))
        elif unknown_actions := list(filter(is_unknown, statement.actions)):
            yield unknown(statement.resource, statement.path, ", ".join(unknown_actions))


@rule(
    "iam-wildcard-resource",
    why="With a wildcard as the resource, one mistake reaches every bucket, table or queue of the account.",
    fix="Name the ARN of each bucket, table and queue.",
)
def resources_are_named(context: CheckContext) -> Iterator[Violation]:
    for statement in context.template.allowed:
        if _services(statement) & {"s3", "dynamodb", "sqs", "*"}:
            unnamed = [each for each in statement.resources if _names_no_single_resource(each)]
            unnamed += [f"all but {each}" for each in statement.not_resources]
            yield from (Violation(statement.resource, statement.path, each) for each in unnamed)


@rule(
    "iam-named-buckets",
    why="A wildcard in a bucket's name also matches other people's buckets, and buckets that do not exist yet.",
    fix="Name each bucket.",
)
def buckets_are_named(context: CheckContext) -> Iterator[Violation]:
    for statement in context.template.allowed:
        if _services(statement) & {"s3", "*"}:
            for resource in filter(lambda each: ":s3:::" in each, statement.resources):
                bucket = context.template.bucket_and_keys(resource)[0]
                before = re.split(r"[*?]", bucket, maxsplit=1)[0]
                if is_wild(bucket) and is_unknown(before):  # it may end the name of the bucket
                    yield unknown(statement.resource, statement.path, before)
                elif is_wild(bucket):
                    yield Violation(statement.resource, statement.path, resource)


RULES = (actions_are_named, resources_are_named, buckets_are_named)


def _services(statement: Statement) -> set[str]:
    """The services of the actions that AWS can restrict to a resource; `*` for any service."""
    if statement.not_actions:
        return {"*"}
    return {action.lower().partition(":")[0] for action in statement.actions if action.lower() not in _ACCOUNT_WIDE}


def _names_no_single_resource(resource: str) -> bool:
    """Whether a policy's resource is more than one table, queue, access point or service."""
    parts = arn_parts(resource)
    if not parts:
        return False
    if len(parts) < 6:  # noqa: PLR2004  an ARN has six parts
        return is_wild(resource)
    service, name = parts[2], parts[5]
    if service == "dynamodb":
        return is_wild("/".join(name.split("/")[:2]))
    if service == "s3":
        return name.startswith("accesspoint/") and is_wild(name.split("/")[1])
    return is_wild(service) or (service == "sqs" and is_wild(name))
