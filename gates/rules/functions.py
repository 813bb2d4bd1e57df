"""Every Lambda function: runtime, logs, memory."""

from collections.abc import Iterator

from ..template import FUNCTION, LOG_GROUP, Resource, Template, is_unknown
from .rule import CheckContext, Violation, rule, undecided, unknown
from .runtimes import SUPPORTED_UNTIL

WARN_DAYS = 180
_LOG_RETENTION = "Custom::LogRetention"  # the CDK's custom resource


@rule(
    "runtime-supported",
    why="An unsupported runtime gets no security fixes, and later AWS blocks updates of its functions.",
    fix="Set Runtime to a supported one: see https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html.",
)
def runtime_is_supported(context: CheckContext) -> Iterator[Violation]:
    for function in context.functions:
        runtime = function.get("Runtime")
        if runtime is None:  # a container image
            continue
        until = SUPPORTED_UNTIL.get(str(runtime))
        if is_unknown(runtime):
            yield unknown(function.id, "Runtime", runtime)
        elif until is None:
            yield Violation(function.id, "Runtime", f"{runtime} is not in the table of runtimes.py", warning=True)
        elif until < context.today:
            yield Violation(function.id, "Runtime", f"{runtime} is not supported since {until}")
        elif (until - context.today).days < WARN_DAYS:
            yield Violation(function.id, "Runtime", f"{runtime} is supported until {until}", warning=True)


@rule(
    "log-retention",
    why="Without a retention period, CloudWatch keeps logs for ever, and charges for them.",
    fix="Set LoggingConfig.LogGroup to an AWS::Logs::LogGroup with RetentionInDays.",
)
def logs_expire(context: CheckContext) -> Iterator[Violation]:
    for function in context.functions:
        chosen = function.get("LoggingConfig", "LogGroup")
        groups = _log_groups(context, function)
        if not groups and chosen:
            detail = f"the template does not have the log group {chosen}"
            yield undecided(function.id, "LoggingConfig.LogGroup", detail)
        elif not groups and (names := _unknown_log_groups(context)):
            yield unknown(function.id, "LoggingConfig.LogGroup", ", ".join(names))
        elif not groups:
            detail = "no log group: Lambda creates one without a retention period"
            yield Violation(function.id, "LoggingConfig.LogGroup", detail)
        for group in groups:
            if group.get("RetentionInDays") is None:
                yield Violation(group.id, "RetentionInDays", "not set")


@rule(
    "memory-explicit",
    why="Memory also determines the CPU share: the default of 128 MB is the slowest.",
    fix="Set MemorySize to a measured value.",
)
def memory_is_set(context: CheckContext) -> Iterator[Violation]:
    for function in context.functions:
        if function.get("MemorySize") is None:
            yield Violation(function.id, "MemorySize", "not set: 128 MB")


RULES = (runtime_is_supported, logs_expire, memory_is_set)


def _unknown_log_groups(context: CheckContext) -> list[str]:
    """The names of log groups that may be the one of any function."""
    template = context.template
    names = [str(group.get("LogGroupName")) for group in template.of_type(LOG_GROUP)]
    return [name for name in names if template.is_outside(name) and not _function_of(template, name)]


def _function_of(template: Template, log_group: str) -> Resource | None:
    """The function whose log group has a name."""
    return template.find(FUNCTION, log_group.removeprefix("/aws/lambda/"))


def _log_groups(context: CheckContext, function: Resource) -> list[Resource]:
    """The log groups of the template that a function writes to, by its LoggingConfig or by its name."""
    template = context.template
    if chosen := function.get("LoggingConfig", "LogGroup"):
        found = template.find(LOG_GROUP, chosen)
        return [found] if found else []
    return [
        group
        for group in template.of_type(LOG_GROUP, _LOG_RETENTION)
        if _function_of(template, str(group.get("LogGroupName"))) == function
    ]
