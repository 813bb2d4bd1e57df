"""What uploads to a bucket start: no upload is missed, nobody else can start it, and it does not start itself."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ..template import (
    PERMISSION,
    Decision,
    Notification,
    Statement,
    Template,
    Trigger,
    either,
    every,
    is_unknown,
    may_be_service,
    opposite,
)
from .keys import covers, overlaps
from .rule import CheckContext, Violation, rule, undecided, unknown

_EVERY_CREATION = frozenset({"Put", "Post", "Copy", "CompleteMultipartUpload"})


@rule(
    "s3-every-creation",
    why="Large files arrive as multipart uploads, others as copies: a trigger on one kind of creation misses the rest.",
    fix="Use the event s3:ObjectCreated:*.",
)
def trigger_misses_no_upload(context: CheckContext) -> Iterator[Violation]:
    triggers = context.template.triggers
    # And who is told without starting a function of the template.
    starting = {(each.resource, each.path) for each in triggers}
    others = [each for each in context.template.told if (each.resource, each.path) not in starting]
    alike = defaultdict[Any, list[Trigger | Notification]](list)
    for trigger in triggers:
        alike[trigger.bucket, trigger.function, trigger.keys].append(trigger)
    for told in others:
        alike[told.bucket, told.target, told.keys].append(told)
    for each in alike.values():
        kinds = set[str]().union(*(one.created for one in each))
        if unknown_kinds := sorted(filter(is_unknown, kinds)):
            yield unknown(each[0].resource, each[0].path, ", ".join(unknown_kinds))
        elif kinds and "*" not in kinds and not kinds >= _EVERY_CREATION:
            missed = ", ".join(sorted(_EVERY_CREATION - kinds))
            yield Violation(each[0].resource, each[0].path, f"misses {missed}")


@rule(
    "s3-permission",
    why="Without SourceAccount, anybody's bucket may invoke the function; without SourceArn, any bucket of yours.",
    fix="Set SourceAccount to AWS::AccountId, and SourceArn to the bucket's ARN.",
)
def permission_names_the_bucket(context: CheckContext) -> Iterator[Violation]:
    for permission in context.template.of_type(PERMISSION):
        principal = str(permission.get("Principal"))
        if (is_s3 := may_be_service(principal, "s3.")) is False:
            continue
        for name in ("SourceAccount", "SourceArn"):
            given = permission.get(name)
            if given is not None and "*" not in str(given):
                continue
            detail = "not set" if given is None else str(given)
            if is_s3:
                yield Violation(permission.id, name, detail)
            else:
                yield undecided(permission.id, name, f"{detail}, and only the deployment knows {principal}")


@rule(
    "s3-loop",
    why="Each object that the function writes starts the function again: an endless loop, at your cost.",
    fix="Write to another bucket, or allow only keys outside the trigger's prefix and suffix.",
)
def function_cannot_start_itself(context: CheckContext) -> Iterator[Violation]:
    template = context.template
    found = set()
    for trigger in filter(lambda each: each.created, template.triggers):
        roles = template.roles_of(trigger.function)
        if not roles:
            role = template.by_id[trigger.function].get("Role")
            found.add(undecided(trigger.function, "Role", f"the template does not have the role {role}"))
        denied = _is_denied(template, roles, trigger)
        for statement in template.allowed:
            loops = every(_may_write(statement, roles), _reaches(template, statement, trigger), opposite(denied))
            by = "" if trigger.is_notified else f", by the permission {trigger.resource}"
            what = f"{trigger.function} can write to {trigger.bucket}, whose uploads start it{by}"
            if loops:
                found.add(Violation(statement.resource, statement.path, what))
            elif loops is None:
                found.add(undecided(statement.resource, statement.path, f"whether {what}"))
    yield from sorted(found, key=lambda violation: (violation.resource, violation.path, violation.detail))


RULES = (trigger_misses_no_upload, permission_names_the_bucket, function_cannot_start_itself)


def _may_write(statement: Statement, roles: set[str]) -> Decision:
    return every(bool(statement.roles & roles), statement.includes("s3:PutObject"))


def _is_denied(template: Template, roles: set[str], trigger: Trigger) -> Decision:
    """Whether a statement denies the roles every key that starts the function."""
    return either(
        every(_may_write(denial, roles), either(covers(template, each, trigger) for each in denial.resources))
        for denial in template.denied
        if denial.unconditional
    )


def _reaches(template: Template, statement: Statement, trigger: Trigger) -> Decision:
    """Whether a statement includes a key that starts the function."""
    if statement.not_resources:
        return opposite(either(covers(template, each, trigger) for each in statement.not_resources))
    return either(overlaps(template, each, trigger) for each in statement.resources)
