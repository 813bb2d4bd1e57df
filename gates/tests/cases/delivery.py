"""What is on its way between services: kept if it fails, and told."""

from gates.tests.safe import (
    GONE,
    SCHEDULED,
    THROUGH_EVENTBRIDGE,
    THROUGH_QUEUE,
    THROUGH_TOPIC,
    Case,
    Changes,
    resource,
)

LETTERS: Changes = {
    "Letters": resource("AWS::SQS::Queue", MessageRetentionPeriod=1_209_600),
    "FailuresPolicy.Queues.1": {"Ref": "Letters"},
    "FailuresPolicy.PolicyDocument.Statement.0.Resource": "*",
}
"""A queue that no alarm watches."""
TO_LETTERS = {"deadLetterTargetArn": {"Fn::GetAtt": "Letters.Arn"}, "maxReceiveCount": 3}

VIOLATING: list[Case] = [
    ("queue-redrive", "none", {**THROUGH_QUEUE, "Waiting.RedrivePolicy": GONE}),
    ("queue-visibility", "too short", {**THROUGH_QUEUE, "Waiting.VisibilityTimeout": 179}),
    ("queue-visibility", "the default", {**THROUGH_QUEUE, "Waiting.VisibilityTimeout": GONE}),
    ("dead-letters-alarmed", "of a queue", {**LETTERS, "Failures.RedrivePolicy": TO_LETTERS}),
    (
        "dead-letters-alarmed",
        "of a rule",
        {**THROUGH_EVENTBRIDGE, **LETTERS, "OnUpload.Targets.0.DeadLetterConfig.Arn": {"Fn::GetAtt": "Letters.Arn"}},
    ),
    (
        "dead-letters-alarmed",
        "of a subscription",
        {**THROUGH_TOPIC, **LETTERS, "Told.Subscription.0.RedrivePolicy": TO_LETTERS},
    ),
    ("rule-dead-letters", "none", {**THROUGH_EVENTBRIDGE, "OnUpload.Targets.0.DeadLetterConfig": GONE}),
    (
        "rule-permission",
        "for another service",
        {**THROUGH_EVENTBRIDGE, "EventsMayInvoke.Principal": "sns.amazonaws.com"},
    ),
    ("subscription-dead-letters", "of a topic", {**THROUGH_TOPIC, "Told.Subscription.0.RedrivePolicy": GONE}),
    (
        "subscription-dead-letters",
        "by itself",
        {"Sub": resource("AWS::SNS::Subscription", TopicArn={"Ref": "Told"}, Protocol="https", Endpoint="https://x")},
    ),
]

GIVEN: Changes = {"/Parameters.Given": {"Type": "String"}}

UNDECIDED: list[Case] = [
    ("queue-redrive", "a given one", {**GIVEN, **THROUGH_QUEUE, "Waiting.RedrivePolicy": {"Ref": "Given"}}),
    ("queue-visibility", "a given time", {**GIVEN, **THROUGH_QUEUE, "Waiting.VisibilityTimeout": {"Ref": "Given"}}),
    (
        "dead-letters-alarmed async-failures-alarmed",
        "an alarm on a given queue",
        {
            **GIVEN,
            "Failed.Dimensions.0.Value": {"Ref": "Given"},
            "Failures.RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": "Failures.Arn"}},
        },
    ),
    (
        "rule-permission s3-permission",
        "for a given service",
        {**GIVEN, **THROUGH_EVENTBRIDGE, "EventsMayInvoke.Principal": {"Ref": "Given"}},
    ),
    (
        "subscription-dead-letters",
        "by a given protocol",
        {**GIVEN, "Sub": resource("AWS::SNS::Subscription", TopicArn="arn", Protocol={"Ref": "Given"}, Endpoint="x")},
    ),
]

COMPLIANT: list[Case] = [
    ("queue-redrive", "polled, with one", THROUGH_QUEUE),
    ("queue-redrive", "a queue that nobody polls", {**LETTERS}),
    ("queue-visibility", "six times", {**THROUGH_QUEUE, "Ingest.Timeout": 10, "Waiting.VisibilityTimeout": 60}),
    (
        "dead-letters-alarmed",
        "a queue of another account",
        {"Failures.RedrivePolicy": {"deadLetterTargetArn": "arn:q"}},
    ),
    (
        "rule-dead-letters",
        "a schedule comes again",
        {
            **SCHEDULED,
            "Hourly": resource(
                "AWS::Events::Rule", ScheduleExpression="rate(1 hour)", Targets=[{"Id": "1", "Arn": {"Ref": "Ingest"}}]
            ),
        },
    ),
    (
        "rule-permission",
        "for everybody of the account",
        {
            **THROUGH_EVENTBRIDGE,
            "EventsMayInvoke.Principal": "*",
            "EventsMayInvoke.SourceAccount": {"Ref": "AWS::AccountId"},
        },
    ),
    (
        "subscription-dead-letters",
        "people get none",
        {"Sub": resource("AWS::SNS::Subscription", TopicArn={"Ref": "Told"}, Protocol="email", Endpoint="a@b.c")},
    ),
]
