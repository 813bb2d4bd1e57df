"""What has to hold before something is deployed, each rule with why it matters and what to do."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from typing import Any

from stacks.gates.runtimes import SUPPORTED_UNTIL
from stacks.gates.template import (
    BUCKET,
    FUNCTION,
    QUEUE,
    TOPIC,
    Resource,
    Statement,
    Template,
    Trigger,
    as_list,
    document,
    mapping,
)

MAX_PACKAGE_MB = 50
WARN_DAYS = 180
_DEFAULT_TIMEOUT = 3  # seconds, Lambda's own
_FOURTEEN_DAYS = 14 * 24 * 60 * 60  # seconds, the most that SQS keeps
_EVERY_CREATION = frozenset({"Put", "Post", "Copy", "CompleteMultipartUpload"})

_TELLING = {
    "ApproximateNumberOfMessagesVisible",
    "ApproximateNumberOfMessages",
    "ApproximateAgeOfOldestMessage",
    "NumberOfMessagesSent",
    "NumberOfMessagesPublished",
}
"""The metrics of a queue or a topic that rise when something comes."""

# These cannot be restricted to a resource: https://docs.aws.amazon.com/service-authorization/latest/reference/
_ACCOUNT_WIDE = frozenset(
    f"{service}:{action}".lower()
    for service, actions in {
        "s3": "ListAllMyBuckets GetAccountPublicAccessBlock PutAccountPublicAccessBlock ListJobs ListAccessPoints",
        "dynamodb": "ListTables ListBackups ListExports ListGlobalTables ListImports ListStreams DescribeLimits",
        "sqs": "ListQueues",
    }.items()
    for action in actions.split()
)


@dataclass(frozen=True)
class Package:
    """What a function's package holds: its size unpacked in bytes, and the names at its top."""

    size: int
    names: frozenset[str]


@dataclass(frozen=True)
class Place:
    """Where a rule is broken, and how."""

    resource: str
    path: str
    detail: str
    warning: bool = False


@dataclass(frozen=True)
class Subject:
    """What the rules look at."""

    template: Template
    today: date
    packages: Mapping[str, Package]


@dataclass(frozen=True)
class Rule:
    """A hardening that must be there: why it matters in one sentence, and the fix."""

    id: str
    why: str
    fix: str
    broken: Callable[[Subject], Iterator[Place]]


def _functions(subject: Subject) -> list[Resource]:
    return subject.template.all(FUNCTION)


def _asynchronous(subject: Subject) -> list[Resource]:
    started = {function for function, _ in subject.template.asynchronous}
    return [each for each in _functions(subject) if each.id in started]


def _number(value: Any) -> int | None:
    """A number, however it is written; None for what only the deployment knows."""
    text = str(value)
    return int(text) if text.isdecimal() and len(text) < 20 else None  # noqa: PLR2004  no number here is that large


def _is_true(value: Any) -> bool:
    return str(value).lower() == "true"


def _is_false(value: Any) -> bool:
    return str(value).lower() == "false"


def _timeout(subject: Subject) -> Iterator[Place]:
    for function in _asynchronous(subject):
        given = function.properties.get("Timeout")
        if given is None:
            yield Place(function.id, "Timeout", f"not set: {_DEFAULT_TIMEOUT} s")
        elif (seconds := _number(given)) is not None and seconds <= _DEFAULT_TIMEOUT:
            yield Place(function.id, "Timeout", f"{seconds} s")


def _invoke_configs(subject: Subject, function: str) -> Iterator[list[Resource]]:
    """The configurations of a function's asynchronous invocations, for each qualifier by which it is invoked."""
    for started, qualifier in sorted(subject.template.asynchronous):
        if started == function:
            yield [
                each
                for each in subject.template.all("AWS::Lambda::EventInvokeConfig")
                if subject.template.function(each.properties.get("FunctionName")) == function
                and str(each.properties.get("Qualifier")) == qualifier
            ]


def _retries(subject: Subject) -> Iterator[Place]:
    for function in _asynchronous(subject):
        for configs in _invoke_configs(subject, function.id):
            if not configs:
                yield Place(function.id, "EventInvokeConfig", "there is none for what is invoked")
            for config in configs:
                for name in ("MaximumRetryAttempts", "MaximumEventAgeInSeconds"):
                    if name not in config.properties:
                        yield Place(config.id, name, "not set")


def _on_failure_of(resource: Resource) -> Any:
    return mapping(mapping(resource.properties.get("DestinationConfig")).get("OnFailure")).get("Destination")


def _dead_letter_queue_of(resource: Resource) -> Any:
    return mapping(resource.properties.get("DeadLetterConfig")).get("TargetArn")


def _on_failure(subject: Subject) -> Iterator[Place]:
    for function in _asynchronous(subject):
        for configs in _invoke_configs(subject, function.id):
            if any(_on_failure_of(config) for config in configs):
                continue
            if _dead_letter_queue_of(function):
                detail = "a dead-letter queue gets the event without the reason why it failed"
                yield Place(function.id, "DeadLetterConfig", detail, warning=True)
            else:
                path = "EventInvokeConfig.DestinationConfig.OnFailure"
                yield Place(function.id, path, "there is none for what is invoked")


def _failure_targets(subject: Subject) -> Iterator[tuple[Resource, str, Any]]:
    """Where failed events go: the resource and the property that say so, and the target."""
    for function in _asynchronous(subject):
        yield function, "DeadLetterConfig.TargetArn", _dead_letter_queue_of(function)
        for config in (each for configs in _invoke_configs(subject, function.id) for each in configs):
            yield config, "DestinationConfig.OnFailure.Destination", _on_failure_of(config)


def _failures_alarmed(subject: Subject) -> Iterator[Place]:
    for resource, path, target in _failure_targets(subject):
        queue, topic = (subject.template.named(kind, target) for kind in (QUEUE, TOPIC))
        if queue and not _alarmed(subject, queue):
            yield Place(resource.id, path, f"no alarm with an action watches the queue {queue.id}")
        if topic and not (subject.template.subscribed(topic.id) or _alarmed(subject, topic)):
            yield Place(resource.id, path, f"nobody is subscribed to the topic {topic.id}")


def _alarmed(subject: Subject, target: Resource) -> bool:
    """Whether an alarm watches a queue or a topic and does something, by itself or as part of a composite one."""
    composites = [each for each in subject.template.all("AWS::CloudWatch::CompositeAlarm") if _acts(each)]
    rules = [str(each.properties.get("AlarmRule")) for each in composites]
    for alarm in subject.template.all("AWS::CloudWatch::Alarm"):
        inner = (
            mapping(each.get("MetricStat")).get("Metric")
            for each in map(mapping, as_list(alarm.properties.get("Metrics")))
        )
        watches = any(
            str(metric.get("MetricName")) in _TELLING
            and subject.template.named(target.type, mapping(dimension).get("Value")) == target
            for metric in (alarm.properties, *map(mapping, inner))
            for dimension in as_list(metric.get("Dimensions"))
        )
        falling = str(alarm.properties.get("ComparisonOperator")).startswith("LessThan")
        names = {f"${{{alarm.id}}}", f"${{{alarm.id}.Arn}}", str(alarm.properties.get("AlarmName", f"${{{alarm.id}}}"))}
        in_composite = any(names & set(re.split(r"[\s()\"']+", rule)) for rule in rules)
        if watches and not falling and (_acts(alarm) or in_composite):
            return True
    return False


def _acts(alarm: Resource) -> bool:
    return any(as_list(alarm.properties.get("AlarmActions"))) and not _is_false(alarm.properties.get("ActionsEnabled"))


def _reserved_concurrency(subject: Subject) -> Iterator[Place]:
    for function in _asynchronous(subject):
        if "ReservedConcurrentExecutions" not in function.properties:
            yield Place(function.id, "ReservedConcurrentExecutions", "not set")


def _runtime(subject: Subject) -> Iterator[Place]:
    for function in _functions(subject):
        runtime = function.properties.get("Runtime")
        if runtime is None or "$" in str(runtime):  # a container image; or a name that only the deployment knows
            continue
        until = SUPPORTED_UNTIL.get(str(runtime))
        if until is None:
            yield Place(function.id, "Runtime", f"{runtime} is not in the table of runtimes.py", warning=True)
        elif until < subject.today:
            yield Place(function.id, "Runtime", f"{runtime} is not supported since {until}")
        elif (until - subject.today).days < WARN_DAYS:
            yield Place(function.id, "Runtime", f"{runtime} is supported until {until}", warning=True)


def _log_retention(subject: Subject) -> Iterator[Place]:
    template = subject.template
    for function in _functions(subject):
        chosen = mapping(function.properties.get("LoggingConfig")).get("LogGroup")
        found = [
            group
            for group in template.all("AWS::Logs::LogGroup", "Custom::LogRetention")
            if group == template.named("AWS::Logs::LogGroup", chosen)
            or (not chosen and template.named(FUNCTION, _function_of_logs(group)) == function)
        ]
        if not found and not chosen:
            yield Place(function.id, "LoggingConfig.LogGroup", "no log group: Lambda makes one without a retention")
        for group in found:
            if "RetentionInDays" not in group.properties:
                yield Place(group.id, "RetentionInDays", "not set")


def _function_of_logs(group: Resource) -> str:
    return str(group.properties.get("LogGroupName")).removeprefix("/aws/lambda/")


def _memory(subject: Subject) -> Iterator[Place]:
    for function in _functions(subject):
        if "MemorySize" not in function.properties:
            yield Place(function.id, "MemorySize", "not set: 128 MB")


def _every_creation(subject: Subject) -> Iterator[Place]:
    alike = defaultdict(list)
    for trigger in subject.template.triggers:
        alike[trigger.bucket, trigger.function, trigger.prefix, trigger.suffix].append(trigger)
    for triggers in alike.values():
        kinds = {
            event.removeprefix("s3:ObjectCreated:")
            for trigger in triggers
            for event in trigger.events
            if event.startswith("s3:ObjectCreated:")
        }
        if kinds and "*" not in kinds and not kinds >= _EVERY_CREATION:
            missed = ", ".join(sorted(_EVERY_CREATION - kinds))
            yield Place(triggers[0].resource, triggers[0].path, f"misses {missed}")


def _s3_permission(subject: Subject) -> Iterator[Place]:
    for permission in subject.template.all("AWS::Lambda::Permission"):
        principal = str(permission.properties.get("Principal"))
        if principal == "*" or principal.startswith("s3."):
            for name in ("SourceAccount", "SourceArn"):
                if name not in permission.properties:
                    yield Place(permission.id, name, "not set")
                elif "*" in str(permission.properties[name]):
                    yield Place(permission.id, name, str(permission.properties[name]))


def _loop(subject: Subject) -> Iterator[Place]:
    template = subject.template
    found = set()
    for trigger in template.triggers:
        roles = template.roles_of(trigger.function)
        denied = any(
            denial.always
            and _writes(denial, roles)
            and any(_takes_in(template, each, trigger) for each in denial.resources)
            for denial in template.denials
        )
        if denied or not any(event.startswith("s3:ObjectCreated:") for event in trigger.events):
            continue
        for statement in template.statements:
            reached = (_meets(template, each, trigger) for each in statement.resources)
            excluded = (_takes_in(template, each, trigger) for each in statement.outside_of)
            if _writes(statement, roles) and (any(reached) or (statement.outside_of and not any(excluded))):
                detail = f"{trigger.function} can write to {trigger.bucket}, whose uploads start it"
                found.add(Place(statement.resource, statement.path, detail))
    yield from sorted(found, key=lambda place: (place.resource, place.path))


def _writes(statement: Statement, roles: set[str]) -> bool:
    return bool(statement.roles & roles) and statement.names("s3:PutObject")


def _keys_in(template: Template, resource: str, trigger: Trigger) -> str | None:
    """The keys of the trigger's bucket that a policy's resource means; None if another bucket is meant."""
    parts = _arn(resource)
    if parts and (len(parts) < 6 or "*" in parts[2]):  # noqa: PLR2004  an ARN has six parts
        return "*"  # in every service
    bucket, keys = template.bucket_and_keys(resource)
    # In IAM, an asterisk after the bucket's name reaches its objects too.
    if not keys and bucket.endswith("*"):
        keys = "*"
    named = template.resources.get(trigger.bucket)
    name = str(named.properties.get("BucketName")) if named else trigger.bucket
    meant = bucket in ("*", trigger.bucket) or (_is_wild(bucket) and fnmatchcase(name, bucket))
    return keys if meant and keys else None


def _ends(keys: str) -> tuple[str, str]:
    """What a pattern of keys begins with, and what it ends with."""
    return re.split(r"[*?]|\$\{", keys)[0], re.split(r"[*?]|\}", keys)[-1]


def _meets(template: Template, resource: str, trigger: Trigger) -> bool:
    """Whether a policy's resource and the keys that start the function have one in common."""
    keys = _keys_in(template, resource, trigger)
    if keys is None:
        return False
    if not re.search(r"[*?]|\$\{", keys):
        return keys.startswith(trigger.prefix) and keys.endswith(trigger.suffix)
    head, tail = _ends(keys)
    starts = head.startswith(trigger.prefix) or trigger.prefix.startswith(head)
    return starts and (tail.endswith(trigger.suffix) or trigger.suffix.endswith(tail))


def _takes_in(template: Template, resource: str, trigger: Trigger) -> bool:
    """Whether a policy's resource has all keys that start the function."""
    keys = _keys_in(template, resource, trigger)
    if keys is None or keys.count("*") != 1 or "?" in keys or "$" in keys:
        return False
    head, tail = _ends(keys)
    return trigger.prefix.startswith(head) and trigger.suffix.endswith(tail)


def _is_wild(text: str) -> bool:
    return "*" in text or "?" in text


def _arn(resource: str) -> list[str]:
    """The parts of an ARN: six, or fewer if a wildcard stands for several; none if it only refers to a resource."""
    text = re.sub(r"\$\{AWS::(\w+)\}", r"${\1}", resource)
    return text.split(":", 5) if text.startswith("arn:") or text == "*" or set(text) == {"*"} else []


def _wildcard_action(subject: Subject) -> Iterator[Place]:
    for statement in subject.template.statements:
        wild = [action for action in statement.actions if _is_wild(action)]
        wild += [f"all but {action}" for action in statement.other_than]
        if wild:
            yield Place(statement.resource, statement.path, ", ".join(wild))


def _services(statement: Statement) -> set[str]:
    """The services of the actions that can be restricted to a resource."""
    if statement.other_than:
        return {"*"}
    return {action.lower().partition(":")[0] for action in statement.actions if action.lower() not in _ACCOUNT_WIDE}


def _wildcard_resource(subject: Subject) -> Iterator[Place]:
    for statement in subject.template.statements:
        services = _services(statement) & {"s3", "dynamodb", "sqs", "*"}
        if services:
            everywhere = [each for each in statement.resources if _names_nothing(each)]
            everywhere += [f"all but {each}" for each in statement.outside_of]
            yield from (Place(statement.resource, statement.path, each) for each in everywhere)


def _names_nothing(resource: str) -> bool:
    """Whether a policy's resource is any of several tables, queues or services."""
    parts = _arn(resource)
    if not parts:
        return False
    if len(parts) < 6:  # noqa: PLR2004  an ARN has six parts
        return _is_wild(resource)
    service, name = parts[2], parts[5]
    if service == "dynamodb":
        return _is_wild("/".join(name.split("/")[:2]))
    if service == "s3":
        return name.startswith("accesspoint/") and _is_wild(name.split("/")[1])
    return _is_wild(service) or (service == "sqs" and _is_wild(name))


def _named_buckets(subject: Subject) -> Iterator[Place]:
    for statement in subject.template.statements:
        if _services(statement) & {"s3", "*"}:
            for resource in statement.resources:
                if ":s3:::" in resource and _is_wild(subject.template.bucket_and_keys(resource)[0]):
                    yield Place(statement.resource, statement.path, resource)


def _public_access(subject: Subject) -> Iterator[Place]:
    for bucket in subject.template.all(BUCKET):
        block = mapping(bucket.properties.get("PublicAccessBlockConfiguration"))
        names = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
        if missing := [name for name in names if not _is_true(block.get(name))]:
            yield Place(bucket.id, "PublicAccessBlockConfiguration", f"not true: {', '.join(missing)}")


def _denies_plain_http(statement: Mapping[str, Any], service: str) -> bool:
    # Conditions are combined by "and": with a second one, whoever does not meet that may use plain HTTP.
    conditions = [
        (operator, name.lower(), as_list(value))
        for operator, each in mapping(statement.get("Condition")).items()
        for name, value in mapping(each).items()
    ]
    principal = statement.get("Principal")
    return (
        statement.get("Effect") == "Deny"
        and "*" in as_list(mapping(principal).get("AWS", principal))
        and bool({"*", f"{service}:*"} & {str(action).lower() for action in as_list(statement.get("Action"))})
        and len(conditions) == 1
        and conditions[0][0] in ("Bool", "BoolIfExists")
        and conditions[0][1] == "aws:securetransport"
        and conditions[0][2] != []
        and all(map(_is_false, conditions[0][2]))
    )


def _bucket_tls(subject: Subject) -> Iterator[Place]:
    template = subject.template
    for bucket in template.all(BUCKET):
        denied = {
            template.bucket_and_keys(str(resource))
            for statement in template.policies(bucket, "AWS::S3::BucketPolicy")
            if _denies_plain_http(statement, "s3")
            for resource in as_list(statement.get("Resource"))
        }
        # `arn:aws:s3:::bucket*` is the bucket and its objects.
        both = any(
            name == "*" or template.bucket_and_keys(name.removesuffix("*"))[0] == bucket.id
            for name, keys in denied
            if name.endswith("*") and not keys
        )
        if not both and not denied >= {(bucket.id, ""), (bucket.id, "*")}:
            yield Place(bucket.id, "BucketPolicy", "plain HTTP is not denied on the bucket and on its objects")


def _queue_tls(subject: Subject) -> Iterator[Place]:
    template = subject.template
    for queue in template.all(QUEUE):
        denied = any(
            resource == "*" or template.named(QUEUE, resource) == queue
            for statement in template.policies(queue, "AWS::SQS::QueuePolicy", "AWS::SQS::QueueInlinePolicy")
            if _denies_plain_http(statement, "sqs")
            for resource in as_list(statement.get("Resource"))
        )
        if not denied:
            yield Place(queue.id, "QueuePolicy", "plain HTTP is not denied")


def _dead_letter_retention(subject: Subject) -> Iterator[Place]:
    template = subject.template
    targets: list[Any] = []
    for resource in template.resources.values():
        of_rules = map(mapping, as_list(resource.properties.get("Targets")))
        targets += [mapping(each.get("DeadLetterConfig")).get("Arn") for each in of_rules]
        targets += [document(resource.properties.get("RedrivePolicy")).get("deadLetterTargetArn")]
        targets += [_dead_letter_queue_of(resource), _on_failure_of(resource)]
    found = {queue.id: queue for target in targets if (queue := template.named(QUEUE, target))}
    for queue in found.values():
        given = queue.properties.get("MessageRetentionPeriod")
        seconds = _number(given)
        if given is None or (seconds is not None and seconds < _FOURTEEN_DAYS):
            days = "not set: 4 days" if seconds is None else f"{seconds / 86_400:.3g} days"
            yield Place(queue.id, "MessageRetentionPeriod", days)


def _packages(subject: Subject) -> list[tuple[str, Package]]:
    """The packages that are known, of the functions that are there."""
    return [(each.id, subject.packages[each.id]) for each in _functions(subject) if each.id in subject.packages]


def _package_size(subject: Subject) -> Iterator[Place]:
    for function, package in _packages(subject):
        if package.size > MAX_PACKAGE_MB * 1_000_000:
            yield Place(function, "Code", f"{package.size / 1_000_000:,.1f} MB unpacked, more than {MAX_PACKAGE_MB} MB")


def _package_contents(subject: Subject) -> Iterator[Place]:
    for function, package in _packages(subject):
        if heavy := sorted(package.names & {"pandas", "numpy"}):
            yield Place(function, "Code", ", ".join(heavy))


RULES = (
    Rule(
        "async-timeout",
        "A function that is stopped in the middle of its work is started again from the beginning, and stopped again.",
        "Set Timeout to what the largest input needs.",
        _timeout,
    ),
    Rule(
        "async-retries",
        "How often a failed event is tried again, and how long it may wait, decides what is lost: it has to be seen.",
        "Add an AWS::Lambda::EventInvokeConfig with MaximumRetryAttempts and MaximumEventAgeInSeconds.",
        _retries,
    ),
    Rule(
        "async-on-failure",
        "Lambda forgets an event when its retries are used up: nobody can find out which, or deliver it again.",
        "Set DestinationConfig.OnFailure of its AWS::Lambda::EventInvokeConfig to an SQS queue.",
        _on_failure,
    ),
    Rule(
        "async-failures-alarmed",
        "A failure queue that nobody watches is a delete that takes fourteen days.",
        "Add an AWS::CloudWatch::Alarm with AlarmActions on the queue's ApproximateNumberOfMessagesVisible.",
        _failures_alarmed,
    ),
    Rule(
        "async-reserved-concurrency",
        "A burst of events takes the concurrency of the whole account, and every other function in it is throttled.",
        "Set ReservedConcurrentExecutions to what the function, and what it writes to, can take.",
        _reserved_concurrency,
    ),
    Rule(
        "runtime-supported",
        "A runtime past its support gets no security fixes, and later its functions cannot be updated.",
        "Set Runtime to a newer one: see https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html.",
        _runtime,
    ),
    Rule(
        "log-retention",
        "Logs without a retention are kept, and paid for, for ever.",
        "Name an AWS::Logs::LogGroup with RetentionInDays in LoggingConfig.LogGroup.",
        _log_retention,
    ),
    Rule(
        "memory-explicit",
        "Memory is also the CPU share: the default of 128 MB is the slowest there is.",
        "Set MemorySize to what was measured.",
        _memory,
    ),
    Rule(
        "s3-every-creation",
        "Large files arrive as multipart uploads, others as copies: an event for one kind of creation misses the rest.",
        "Use the event s3:ObjectCreated:*.",
        _every_creation,
    ),
    Rule(
        "s3-permission",
        "Without the account, a bucket of anybody may invoke the function; without the ARN, any bucket of the account.",
        "Set SourceAccount to AWS::AccountId, and SourceArn to the bucket's ARN.",
        _s3_permission,
    ),
    Rule(
        "s3-loop",
        "What the function writes starts the function again: an endless loop at your cost.",
        "Write to another bucket, or restrict the policy to keys outside of the trigger's prefix and suffix.",
        _loop,
    ),
    Rule(
        "iam-wildcard-action",
        "A wildcard allows what nobody meant, today and whenever AWS adds an action.",
        "Name each action that is called.",
        _wildcard_action,
    ),
    Rule(
        "iam-wildcard-resource",
        "With a wildcard for a resource, one mistake reaches every bucket, table or queue of the account.",
        "Name the ARN of each bucket, table and queue.",
        _wildcard_resource,
    ),
    Rule(
        "iam-named-buckets",
        "A wildcard in a bucket's name also means buckets that do not exist yet, and those of other people.",
        "Name each bucket.",
        _named_buckets,
    ),
    Rule(
        "bucket-public-access",
        "One wrong ACL or policy makes the uploads public, unless the bucket refuses it.",
        "Set all four of PublicAccessBlockConfiguration to true.",
        _public_access,
    ),
    Rule(
        "bucket-tls",
        "A client that is set up wrongly sends its files over plain HTTP, for everyone on the way to read.",
        "Deny s3:* on the bucket and on its objects if aws:SecureTransport is false, in an AWS::S3::BucketPolicy.",
        _bucket_tls,
    ),
    Rule(
        "queue-tls",
        "A client that is set up wrongly sends messages over plain HTTP, for everyone on the way to read.",
        "Deny sqs:* if aws:SecureTransport is false, in an AWS::SQS::QueuePolicy.",
        _queue_tls,
    ),
    Rule(
        "dead-letter-retention",
        "What failed on the Friday before a holiday has to be there when somebody is back.",
        "Set MessageRetentionPeriod to 1209600 seconds, the most that SQS keeps.",
        _dead_letter_retention,
    ),
    Rule(
        "package-size",
        "Every cold start loads the package.",
        "Leave out what the function does not need, boto3 included: the runtime has it.",
        _package_size,
    ),
    Rule(
        "package-contents",
        "pandas and numpy make a cold start seconds longer, and a CSV file needs neither.",
        "Use the csv module.",
        _package_contents,
    ),
)
