"""Functions that are invoked asynchronously."""

from gates.tests.safe import (
    GONE,
    SCHEDULED,
    SECOND_FUNCTION,
    THROUGH_ALIAS,
    THROUGH_EVENTBRIDGE,
    THROUGH_TOPIC,
    Case,
    Changes,
    resource,
    sub,
)

ALARM_METRIC = {
    "Namespace": "AWS/SQS",
    "MetricName": "NumberOfMessagesSent",
    "Dimensions": [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["Failures", "QueueName"]}}],
}
COMPOSITE = resource("AWS::CloudWatch::CompositeAlarm", AlarmRule=sub("ALARM(${Failed})"), AlarmActions=["arn"])
GIVEN: Changes = {"/Parameters.Given": {"Type": "String"}}
TO_GIVEN: Changes = {**GIVEN, "Asynchronous.DestinationConfig.OnFailure.Destination": {"Ref": "Given"}}
TO_TOPIC: Changes = {"Asynchronous.DestinationConfig.OnFailure.Destination": {"Ref": "Told"}}
TO_NAMED: Changes = {"Asynchronous.DestinationConfig.OnFailure.Destination": "arn:aws:sqs:eu-west-1:1:q"}

VIOLATING: list[Case] = [
    ("async-timeout", "no timeout", {"Ingest.Timeout": GONE}),
    ("async-timeout", "the default, written out", {"Ingest.Timeout": "3"}),
    ("async-timeout", "by a parameter", {"/Parameters.T": {"Default": 2}, "Ingest.Timeout": {"Ref": "T"}}),
    (
        "async-timeout",
        "by a principal of any region",
        {
            "Uploads.NotificationConfiguration": GONE,
            "MayInvoke.Principal": sub("s3.${AWS::URLSuffix}"),
            "Ingest.Timeout": GONE,
        },
    ),
    (
        "async-timeout",
        "by a subscription to logs",
        {
            "Uploads.NotificationConfiguration": GONE,
            "MayInvoke": GONE,
            "Subscription": resource("AWS::Logs::SubscriptionFilter", DestinationArn={"Fn::GetAtt": ["Ingest", "Arn"]}),
            "Ingest.Timeout": GONE,
        },
    ),
    ("async-timeout", "scheduled", {**SCHEDULED, "Ingest.Timeout": GONE}),
    ("async-timeout", "through a topic", {**THROUGH_TOPIC, "MayInvoke": GONE, "Ingest.Timeout": GONE}),
    ("async-timeout", "through EventBridge", {**THROUGH_EVENTBRIDGE, "MayInvoke": GONE, "Ingest.Timeout": GONE}),
    (
        "async-timeout",
        "through an alias",
        {
            **THROUGH_ALIAS,
            "Asynchronous.Qualifier": "live",
            "Ingest.Timeout": GONE,
        },
    ),
    (
        "async-timeout",
        "by EventBridge Scheduler",
        {
            **SCHEDULED,
            "MayInvoke": GONE,
            "Nightly": resource("AWS::Scheduler::Schedule", Target={"Arn": {"Fn::GetAtt": ["Ingest", "Arn"]}}),
            "Ingest.Timeout": GONE,
        },
    ),
    (
        "async-timeout",
        "only in production",
        {
            "/Parameters.Env": {"Type": "String"},
            "/Conditions.Prod": {"Fn::Equals": [{"Ref": "Env"}, "prod"]},
            "Ingest.Timeout": {"Fn::If": ["Prod", 3, 30]},
        },
    ),
    ("async-retries async-on-failure", "no configuration", {"Asynchronous": GONE}),
    ("async-retries async-on-failure", "for another qualifier", {"Asynchronous.Qualifier": "live"}),
    ("async-retries async-on-failure", "for $LATEST, but an alias is invoked", THROUGH_ALIAS),
    ("async-retries", "no number of retries", {"Asynchronous.MaximumRetryAttempts": GONE}),
    ("async-retries", "no age of events", {"Asynchronous.MaximumEventAgeInSeconds": GONE}),
    ("async-on-failure", "no destination", {"Asynchronous.DestinationConfig": GONE}),
    (
        "async-on-failure",
        "only one for success",
        {"Asynchronous.DestinationConfig": {"OnSuccess": {"Destination": "a"}}},
    ),
    (
        "async-on-failure",
        "a dead-letter queue",
        {
            "Asynchronous.DestinationConfig": GONE,
            "Ingest.DeadLetterConfig": {"TargetArn": {"Fn::GetAtt": ["Failures", "Arn"]}},
        },
    ),
    ("async-failures-alarmed", "no alarm", {"Failed": GONE}),
    ("async-failures-alarmed", "an alarm that does nothing", {"Failed.AlarmActions": []}),
    ("async-failures-alarmed", "an alarm that is off", {"Failed.ActionsEnabled": False}),
    ("async-failures-alarmed", "the alarm of another queue", {"Failed.Dimensions.0.Value": "other"}),
    ("async-failures-alarmed", "a topic without subscribers", TO_TOPIC),
    ("async-failures-alarmed", "a metric of deletions", {"Failed.MetricName": "NumberOfMessagesDeleted"}),
    ("async-failures-alarmed", "an alarm on an empty queue", {"Failed.ComparisonOperator": "LessThanThreshold"}),
    ("async-failures-alarmed", "an empty action", {"Failed.AlarmActions": [""]}),
    (
        "async-failures-alarmed",
        "a composite alarm names another alarm",
        {
            "Failed.AlarmActions": GONE,
            "Failed.AlarmName": "fail",
            "All": resource("AWS::CloudWatch::CompositeAlarm", AlarmRule="ALARM(other-fail)", AlarmActions=["arn"]),
        },
    ),
    ("async-reserved-concurrency", "not reserved", {"Ingest.ReservedConcurrentExecutions": GONE}),
]

UNDECIDED: list[Case] = [
    ("async-timeout", "a given timeout", {**GIVEN, "Ingest.Timeout": {"Ref": "Given"}}),
    ("async-timeout", "a stored timeout", {"Ingest.Timeout": "{{resolve:ssm:/timeout}}"}),
    (
        "async-timeout",
        "a timeout by region",
        {"Ingest.Timeout": {"Fn::FindInMap": ["Regions", {"Ref": "AWS::Region"}, "timeout"]}},
    ),
    (
        "async-timeout",
        "only if a parameter is set",
        {
            "/Parameters.T": {"Type": "String", "Default": ""},
            "/Conditions.IsSet": {"Fn::Not": [{"Fn::Equals": [{"Ref": "T"}, ""]}]},
            "Ingest.Timeout": {"Fn::If": ["IsSet", {"Ref": "T"}, 30]},
        },
    ),
    (
        "async-retries async-on-failure",
        "the configuration of a given function",
        {**GIVEN, "Asynchronous.FunctionName": {"Ref": "Given"}},
    ),
    (
        "async-retries async-on-failure",
        "the configuration of a given qualifier",
        {**GIVEN, "Asynchronous.Qualifier": {"Ref": "Given"}},
    ),
    ("async-failures-alarmed", "a given queue", TO_GIVEN),
    (
        "async-failures-alarmed",
        "a queue of another stack",
        {"Asynchronous.DestinationConfig.OnFailure.Destination": "arn:aws:sqs:eu-west-1:1:other"},
    ),
    (
        "async-failures-alarmed",
        "an imported queue",
        {"Asynchronous.DestinationConfig.OnFailure.Destination": {"Fn::ImportValue": "queue"}},
    ),
    (
        "async-failures-alarmed",
        "a queue of a nested stack",
        {
            "Shared": resource("AWS::CloudFormation::Stack", TemplateURL="https://x"),
            "Asynchronous.DestinationConfig.OnFailure.Destination": {"Fn::GetAtt": "Shared.Outputs.QueueArn"},
        },
    ),
    (
        "async-failures-alarmed",
        "a subscriber of a given topic",
        {**TO_TOPIC, **GIVEN, "S": resource("AWS::SNS::Subscription", TopicArn={"Ref": "Given"}, Endpoint="a@b.c")},
    ),
]

COMPLIANT: list[Case] = [
    ("async-timeout", "a function that is invoked synchronously", {"Second": SECOND_FUNCTION}),
    ("async-on-failure", "of an alias", {**THROUGH_ALIAS, "Asynchronous.Qualifier": "live"}),
    (
        "async-failures-alarmed",
        "by a part of its ARN",
        {"Failed.Dimensions.0.Value": {"Fn::Select": [5, {"Fn::Split": [":", {"Fn::GetAtt": "Failures.Arn"}]}]}},
    ),
    ("async-retries", "explicitly none", {"Asynchronous.MaximumRetryAttempts": 0}),
    ("async-on-failure", "by its name", {"Ingest.FunctionName": "ingest", "Asynchronous.FunctionName": "ingest"}),
    (
        "async-failures-alarmed",
        "by metric math",
        {
            "Failed.MetricName": GONE,
            "Failed.Dimensions": GONE,
            "Failed.Metrics": [{"MetricStat": {"Metric": ALARM_METRIC}}],
        },
    ),
    ("async-failures-alarmed", "by a composite alarm", {"Failed.AlarmActions": GONE, "All": COMPOSITE}),
    (
        "async-failures-alarmed",
        "a topic with a subscriber",
        {**TO_TOPIC, "Told.Subscription": [{"Protocol": "email", "Endpoint": {"Ref": "Email"}}]},
    ),
    (
        "async-failures-alarmed",
        "another function, which gets the failed events",
        {
            "Second": SECOND_FUNCTION,
            "Asynchronous.DestinationConfig.OnFailure.Destination": {"Fn::GetAtt": "Second.Arn"},
        },
    ),
    ("async-failures-alarmed", "a given action", {**GIVEN, "Failed.AlarmActions": [{"Ref": "Given"}]}),
    ("async-on-failure", "to a queue by its name", {"Failures.QueueName": "q", **TO_NAMED}),
    ("async-retries", "given retries", {**GIVEN, "Asynchronous.MaximumRetryAttempts": {"Ref": "Given"}}),
    (
        "async-reserved-concurrency",
        "a given concurrency",
        {**GIVEN, "Ingest.ReservedConcurrentExecutions": {"Ref": "Given"}},
    ),
    ("async-reserved-concurrency", "zero, to pause the function", {"Ingest.ReservedConcurrentExecutions": 0}),
]
