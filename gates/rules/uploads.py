"""What uploads to a bucket start: no upload is missed, nobody else can start it, and it does not start itself."""

from collections import defaultdict
from collections.abc import Iterator

from gates.rules.keys import covers, overlaps
from gates.rules.rule import CheckContext, Violation, rule
from gates.template import PERMISSION, Statement, Template, Trigger

_EVERY_CREATION = frozenset({"Put", "Post", "Copy", "CompleteMultipartUpload"})


@rule(
    "s3-every-creation",
    why="Large files arrive as multipart uploads, others as copies: a trigger on one kind of creation misses the rest.",
    fix="Use the event s3:ObjectCreated:*.",
)
def trigger_misses_no_upload(context: CheckContext) -> Iterator[Violation]:
    alike = defaultdict(list)
    for trigger in context.template.triggers:
        alike[trigger.bucket, trigger.function, trigger.prefix, trigger.suffix].append(trigger)
    for triggers in alike.values():
        kinds = set[str]().union(*(trigger.created for trigger in triggers))
        if kinds and "*" not in kinds and not kinds >= _EVERY_CREATION:
            missed = ", ".join(sorted(_EVERY_CREATION - kinds))
            yield Violation(triggers[0].resource, triggers[0].path, f"misses {missed}")


@rule(
    "s3-permission",
    why="Without SourceAccount, anybody's bucket may invoke the function; without SourceArn, any bucket of yours.",
    fix="Set SourceAccount to AWS::AccountId, and SourceArn to the bucket's ARN.",
)
def permission_names_the_bucket(context: CheckContext) -> Iterator[Violation]:
    for permission in context.template.of_type(PERMISSION):
        principal = str(permission.get("Principal"))
        if principal != "*" and not principal.startswith("s3."):
            continue
        for name in ("SourceAccount", "SourceArn"):
            if name not in permission.properties:
                yield Violation(permission.id, name, "not set")
            elif "*" in str(permission.properties[name]):
                yield Violation(permission.id, name, str(permission.properties[name]))


@rule(
    "s3-loop",
    why="Each object that the function writes starts the function again: an endless loop, at your cost.",
    fix="Write to another bucket, or allow only keys outside the trigger's prefix and suffix.",
)
def function_cannot_start_itself(context: CheckContext) -> Iterator[Violation]:
    template = context.template
    found = set()
    for trigger in template.triggers:
        roles = template.roles_of(trigger.function)
        if not trigger.created or _is_denied(template, roles, trigger):
            continue
        for statement in template.allowed:
            if _may_write(statement, roles) and _reaches(template, statement, trigger):
                detail = f"{trigger.function} can write to {trigger.bucket}, whose uploads start it"
                found.add(Violation(statement.resource, statement.path, detail))
    yield from sorted(found, key=lambda violation: (violation.resource, violation.path))


RULES = (trigger_misses_no_upload, permission_names_the_bucket, function_cannot_start_itself)


def _may_write(statement: Statement, roles: set[str]) -> bool:
    return bool(statement.roles & roles) and statement.includes("s3:PutObject")


def _is_denied(template: Template, roles: set[str], trigger: Trigger) -> bool:
    """Whether a statement denies the roles every key that starts the function."""
    return any(
        denial.unconditional
        and _may_write(denial, roles)
        and any(covers(template, each, trigger) for each in denial.resources)
        for denial in template.denied
    )


def _reaches(template: Template, statement: Statement, trigger: Trigger) -> bool:
    """Whether a statement includes a key that starts the function."""
    if any(overlaps(template, each, trigger) for each in statement.resources):
        return True
    excluded = any(covers(template, each, trigger) for each in statement.not_resources)
    return bool(statement.not_resources) and not excluded
