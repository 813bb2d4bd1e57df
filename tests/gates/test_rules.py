"""Each rule on templates that break it and on templates that look as if they did."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import cfnlint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacks.gates.checks import Finding, check
from stacks.gates.intrinsics import InvalidTemplate
from stacks.gates.rules import MAX_PACKAGE_MB, RULES, Package
from stacks.gates.runtimes import SUPPORTED_UNTIL
from tests.gates.conftest import GONE, Changes, changed

TODAY = date(2026, 11, 22)

CALLS = "Role.Policies.0.PolicyDocument.Statement.3"
NEXT = "Role.Policies.0.PolicyDocument.Statement.4"
JSON_TEXT = '{"Statement": {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::u/*"}}'
TLS = "UploadsPolicy.PolicyDocument.Statement"
AWS_POLICY = "arn:aws:iam::aws:policy/"
TRIGGER = "Uploads.NotificationConfiguration.LambdaConfigurations.0"


def allow(action: Any, resource: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


def sub(text: str) -> dict[str, Any]:
    return {"Fn::Sub": text}


def policy(kind: str, statement: Any, **properties: Any) -> dict[str, Any]:
    return resource(kind, PolicyDocument={"Statement": statement}, **properties)


ROLES = [{"Ref": "Role"}]
PUT_UPLOADS = allow("s3:PutObject", sub("${Uploads.Arn}/in/*"))
ALARM = {
    "MetricName": "NumberOfMessagesSent",
    "Dimensions": [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["Failures", "QueueName"]}}],
}
COMPOSITE = resource("AWS::CloudWatch::CompositeAlarm", AlarmRule=sub("ALARM(${Failed})"), AlarmActions=["arn"])
TO_TOPIC: Changes = {"Asynchronous.DestinationConfig.OnFailure.Destination": {"Ref": "Told"}}
THROUGH_TOPIC: Changes = {
    "Uploads.NotificationConfiguration": {
        "TopicConfigurations": [{"Event": "s3:ObjectCreated:*", "Topic": {"Ref": "Told"}}]
    },
    "Told.Subscription": [{"Protocol": "lambda", "Endpoint": {"Fn::GetAtt": "Ingest.Arn"}}],
}
THROUGH_QUEUE: Changes = {
    "Uploads.NotificationConfiguration": {
        "QueueConfigurations": [{"Event": "s3:ObjectCreated:*", "Queue": {"Fn::GetAtt": "Failures.Arn"}}]
    },
    "Poller": resource(
        "AWS::Lambda::EventSourceMapping",
        EventSourceArn={"Fn::GetAtt": ["Failures", "Arn"]},
        FunctionName={"Ref": "Ingest"},
    ),
}
THROUGH_EVENTBRIDGE: Changes = {
    "Uploads.NotificationConfiguration": {"EventBridgeConfiguration": {}},
    "OnUpload": resource(
        "AWS::Events::Rule",
        EventPattern={"source": ["aws.s3"], "detail": {"bucket": {"name": [{"Ref": "Uploads"}]}}},
        Targets=[{"Id": "1", "Arn": {"Fn::GetAtt": ["Ingest", "Arn"]}}],
    ),
}
THROUGH_ALIAS: Changes = {
    "Live": resource("AWS::Lambda::Alias", FunctionName={"Ref": "Ingest"}, Name="live"),
    f"{TRIGGER}.Function": {"Ref": "Live"},
    "MayInvoke.FunctionName": {"Ref": "Live"},
}
BY_KEY: Changes = {
    "OnUpload.EventPattern": {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [{"Ref": "Uploads"}]}, "object": {"key": [{"prefix": "in/"}]}},
    }
}
SCHEDULED: Changes = {
    "Uploads.NotificationConfiguration": GONE,
    "MayInvoke": resource(
        "AWS::Lambda::Permission", FunctionName={"Ref": "Ingest"}, Principal="events.amazonaws.com", SourceArn="arn"
    ),
}
SECOND = resource(
    "AWS::Lambda::Function",
    Runtime="nodejs24.x",
    MemorySize=512,
    LoggingConfig={"LogGroup": {"Ref": "Log"}},
)

BREAKING: list[tuple[str, str, Changes]] = [
    ("async-timeout", "no timeout", {"Ingest.Timeout": GONE}),
    ("async-timeout", "the default, written out", {"Ingest.Timeout": "3"}),
    ("async-timeout", "by a parameter", {"/Parameters.T": {"Default": 2}, "Ingest.Timeout": {"Ref": "T"}}),
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
    ("async-retries async-on-failure", "nothing", {"Asynchronous": GONE}),
    ("async-retries async-on-failure", "for another qualifier", {"Asynchronous.Qualifier": "live"}),
    ("async-retries async-on-failure", "for $LATEST, but an alias is started", THROUGH_ALIAS),
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
    ("async-failures-alarmed", "a metric that says nothing", {"Failed.MetricName": "NumberOfMessagesDeleted"}),
    ("async-failures-alarmed", "when it is empty", {"Failed.ComparisonOperator": "LessThanThreshold"}),
    ("async-failures-alarmed", "an action that is empty", {"Failed.AlarmActions": [""]}),
    (
        "async-failures-alarmed",
        "in a composite alarm of another one",
        {
            "Failed.AlarmActions": GONE,
            "Failed.AlarmName": "fail",
            "All": resource("AWS::CloudWatch::CompositeAlarm", AlarmRule="ALARM(other-fail)", AlarmActions=["arn"]),
        },
    ),
    ("async-reserved-concurrency", "not reserved", {"Ingest.ReservedConcurrentExecutions": GONE}),
    ("runtime-supported", "past its support", {"Ingest.Runtime": "python3.9"}),
    ("runtime-supported", "nearly so", {"Ingest.Runtime": "nodejs22.x"}),
    ("runtime-supported", "unknown", {"Ingest.Runtime": "python9"}),
    ("runtime-supported", "of a function nobody starts", {"Second": SECOND, "Second.Runtime": "go1.x"}),
    ("log-retention", "kept for ever", {"Log.RetentionInDays": GONE}),
    ("log-retention", "Lambda's own log group", {"Ingest.LoggingConfig": GONE}),
    ("memory-explicit", "the default", {"Ingest.MemorySize": GONE}),
    ("s3-every-creation", "only PUT", {f"{TRIGGER}.Event": "s3:ObjectCreated:Put"}),
    (
        "s3-every-creation",
        "only multipart uploads, in the CDK's resource",
        {
            "Uploads.NotificationConfiguration": GONE,
            "Notifications": resource(
                "Custom::S3BucketNotifications",
                BucketName={"Ref": "Uploads"},
                NotificationConfiguration={
                    "LambdaFunctionConfigurations": [
                        {
                            "Events": ["s3:ObjectCreated:CompleteMultipartUpload"],
                            "LambdaFunctionArn": {"Fn::GetAtt": ["Ingest", "Arn"]},
                        }
                    ]
                },
            ),
        },
    ),
    (
        "s3-every-creation",
        "for one of two prefixes",
        {
            "Uploads.NotificationConfiguration.LambdaConfigurations.1": {
                "Event": "s3:ObjectCreated:Put",
                "Function": {"Fn::GetAtt": "Ingest.Arn"},
                "Filter": {"S3Key": {"Rules": [{"Name": "Prefix", "Value": "other/"}]}},
            }
        },
    ),
    (
        "s3-every-creation",
        "by EventBridge",
        {**THROUGH_EVENTBRIDGE, **BY_KEY, "OnUpload.EventPattern.detail.reason": ["PutObject"]},
    ),
    ("s3-permission", "any bucket", {"MayInvoke.SourceArn": "arn:aws:s3:::*"}),
    ("s3-permission", "for everybody", {"MayInvoke.Principal": "*", "MayInvoke.SourceAccount": GONE}),
    ("s3-permission", "no account", {"MayInvoke.SourceAccount": GONE}),
    ("s3-permission", "no bucket", {"MayInvoke.SourceArn": GONE}),
    ("s3-loop", "through its role", {CALLS: PUT_UPLOADS}),
    (
        "s3-loop",
        "by the bucket's name",
        {CALLS: allow("s3:PutObject", sub("arn:aws:s3:::${AWS::StackName}-uploads/*"))},
    ),
    ("s3-loop", "narrower keys", {CALLS: allow("s3:PutObject", sub("${Uploads.Arn}/in/done/*"))}),
    ("s3-loop", "keys by other wildcards", {CALLS: allow("s3:PutObject", sub("${Uploads.Arn}/i?/*"))}),
    ("s3-loop", "one key", {CALLS: allow("s3:PutObject", ["arn:aws:s3:::x/y", sub("${Uploads.Arn}/in/a.csv")])}),
    ("s3-loop", "through EventBridge, by keys", {**THROUGH_EVENTBRIDGE, **BY_KEY, CALLS: PUT_UPLOADS}),
    (
        "s3-loop",
        "denied under a condition",
        {CALLS: PUT_UPLOADS, NEXT: {**PUT_UPLOADS, "Effect": "Deny", "Condition": {"Bool": {"x": "true"}}}},
    ),
    ("s3-loop iam-named-buckets", "every object", {CALLS: allow("s3:PutObject", "arn:aws:s3:::*")}),
    ("s3-loop iam-wildcard-resource", "everywhere", {CALLS: allow("s3:PutObject", "arn:aws:*")}),
    (
        "s3-loop iam-wildcard-resource",
        "everything but",
        {CALLS: {"Effect": "Allow", "Action": "s3:PutObject", "NotResource": "arn:aws:s3:::other/*"}},
    ),
    (
        "s3-loop",
        "as JSON text",
        {
            "P": resource("AWS::IAM::Policy", PolicyDocument=JSON_TEXT, Roles=ROLES),
            "Uploads.BucketName": "u",
            "MayInvoke.SourceArn": "arn:aws:s3:::u",
        },
    ),
    ("s3-loop", "through a policy", {"P": policy("AWS::IAM::Policy", PUT_UPLOADS, Roles=ROLES)}),
    ("s3-loop", "through a managed policy", {"P": policy("AWS::IAM::ManagedPolicy", PUT_UPLOADS, Roles=ROLES)}),
    (
        "s3-loop",
        "through a managed policy that the role names",
        {"P": policy("AWS::IAM::ManagedPolicy", PUT_UPLOADS), "Role.ManagedPolicyArns": [{"Ref": "P"}]},
    ),
    ("s3-loop", "through a policy of the role", {"P": policy("AWS::IAM::RolePolicy", PUT_UPLOADS, RoleName=ROLES[0])}),
    (
        "s3-loop",
        "through the bucket's policy",
        {f"{TLS}.1": {**PUT_UPLOADS, "Principal": {"AWS": {"Fn::GetAtt": "Role.Arn"}}}},
    ),
    (
        "s3-loop",
        "because everybody can",
        {f"{TLS}.1": {**PUT_UPLOADS, "Principal": "*"}},
    ),
    ("s3-loop", "through a topic", {**THROUGH_TOPIC, CALLS: PUT_UPLOADS}),
    ("s3-loop", "through a queue", {**THROUGH_QUEUE, CALLS: PUT_UPLOADS}),
    ("s3-loop", "through EventBridge", {**THROUGH_EVENTBRIDGE, CALLS: PUT_UPLOADS}),
    ("iam-wildcard-action", "all of a service", {CALLS: allow("dynamodb:*", {"Fn::GetAtt": "Rows.Arn"})}),
    ("iam-wildcard-action", "a family", {CALLS: allow(["logs:PutLogEvents", "logs:Create*"], "arn")}),
    ("iam-wildcard-action", "all but one", {CALLS: {"Effect": "Allow", "NotAction": "iam:*", "Resource": "arn"}}),
    (
        "iam-wildcard-action",
        "of a user",
        {"U": resource("AWS::IAM::User", Policies=[{"PolicyDocument": {"Statement": allow("iam:*", "arn")}}])},
    ),
    ("iam-wildcard-action", "another of AWS's", {"Role.ManagedPolicyArns": [AWS_POLICY + "IAMFullAccess"]}),
    ("iam-wildcard-action", "AWS's policy", {"Role.ManagedPolicyArns": [AWS_POLICY + "CloudWatchLogsFullAccess"]}),
    ("iam-wildcard-resource", "any table", {CALLS: allow("dynamodb:PutItem", "*")}),
    (
        "iam-wildcard-resource",
        "any table here",
        {CALLS: allow("dynamodb:PutItem", sub("arn:aws:dynamodb:${AWS::Region}:${AWS::AccountId}:table/*"))},
    ),
    ("iam-wildcard-resource", "any queue", {CALLS: allow("SQS:SendMessage", ["arn:aws:sqs:*:*:*"])}),
    ("iam-wildcard-resource", "any object", {CALLS: allow("s3:GetObject", "*")}),
    (
        "iam-wildcard-resource",
        "AWS's policy",
        {"Role.ManagedPolicyArns": [AWS_POLICY + "service-role/AWSLambdaSQSQueueExecutionRole"]},
    ),
    *(
        ("iam-wildcard-resource", f"as {arn}", {CALLS: allow("dynamodb:PutItem", arn)})
        for arn in (
            "arn:*",
            "**",
            "arn:aws:*:*:*:*",
            "arn:aws:dynamodb:*",
            "arn:aws:dynamodb:eu-west-1:1:table*",
            "arn:aws:dynamodb:eu-west-1:1:table/app*",
            "arn:aws:dynamodb:eu-west-1:1:table/*/index/*",
        )
    ),
    ("iam-wildcard-resource", "some queues", {CALLS: allow("sqs:SendMessage", "arn:aws:sqs:eu-west-1:1:app-*")}),
    ("iam-wildcard-resource", "in a list in a list", {CALLS: allow("sqs:SendMessage", [["*"]])}),
    ("iam-named-buckets", "any bucket", {CALLS: allow("s3:GetObject", "arn:aws:s3:::*")}),
    ("iam-named-buckets", "any bucket's objects", {CALLS: allow("s3:GetObject", "arn:aws:s3:::*/*")}),
    ("iam-named-buckets", "some buckets", {CALLS: allow("s3:GetObject", "arn:aws:s3:::logs-*/in.csv")}),
    ("bucket-public-access", "nothing said", {"Uploads.PublicAccessBlockConfiguration": GONE}),
    ("bucket-public-access", "one missing", {"Uploads.PublicAccessBlockConfiguration.BlockPublicAcls": GONE}),
    ("bucket-public-access", "one false", {"Uploads.PublicAccessBlockConfiguration.IgnorePublicAcls": "false"}),
    ("bucket-tls", "no policy", {"UploadsPolicy": GONE}),
    ("bucket-tls", "the policy of another", {"UploadsPolicy.Bucket": "other"}),
    ("bucket-tls", "not its objects", {f"{TLS}.0.Resource": {"Fn::GetAtt": "Uploads.Arn"}}),
    ("bucket-tls", "not every action", {f"{TLS}.0.Action": "s3:GetObject"}),
    ("bucket-tls", "not for everybody", {f"{TLS}.0.Principal": {"AWS": "arn"}}),
    ("bucket-tls", "the wrong way round", {f"{TLS}.0.Condition": {"Bool": {"aws:SecureTransport": True}}}),
    ("bucket-tls", "for some", {f"{TLS}.0.Condition.StringEquals": {"aws:PrincipalAccount": "1"}}),
    (
        "queue-tls",
        "of another queue",
        {"FailuresPolicy.PolicyDocument.Statement.0.Resource": "arn:aws:sqs:eu-west-1:1:x"},
    ),
    ("queue-tls", "no policy", {"FailuresPolicy": GONE}),
    ("queue-tls", "allowed", {"FailuresPolicy.PolicyDocument.Statement.0.Effect": "Allow"}),
    ("dead-letter-retention", "SQS's default", {"Failures.MessageRetentionPeriod": GONE}),
    (
        "dead-letter-retention",
        "of another queue, as JSON text",
        {
            "Dead": resource("AWS::SQS::Queue", QueueName="dead"),
            "FailuresPolicy.Queues.1": {"Ref": "Dead"},
            "FailuresPolicy.PolicyDocument.Statement.0.Resource": "*",
            "Failures.RedrivePolicy": '{"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:1:dead"}',
        },
    ),
    ("dead-letter-retention", "a day", {"Failures.MessageRetentionPeriod": 86_400}),
]

KEEPING: list[tuple[str, str, Changes]] = [
    (
        "async-timeout",
        "what only the deployment knows",
        {"/Parameters.T": {"Type": "Number"}, "Ingest.Timeout": {"Ref": "T"}},
    ),
    ("async-timeout", "a function that answers", {"Second": SECOND}),
    ("async-on-failure", "of an alias", {**THROUGH_ALIAS, "Asynchronous.Qualifier": "live"}),
    (
        "async-failures-alarmed",
        "by a part of its ARN",
        {"Failed.Dimensions.0.Value": {"Fn::Select": [5, {"Fn::Split": [":", {"Fn::GetAtt": "Failures.Arn"}]}]}},
    ),
    ("runtime-supported", "known later", {"/Parameters.R": {"Type": "String"}, "Ingest.Runtime": {"Ref": "R"}}),
    ("async-retries", "none, as was meant", {"Asynchronous.MaximumRetryAttempts": 0}),
    ("async-on-failure", "by its name", {"Ingest.FunctionName": "ingest", "Asynchronous.FunctionName": "ingest"}),
    (
        "async-failures-alarmed",
        "by metric math",
        {"Failed.Dimensions": GONE, "Failed.Metrics": [{"MetricStat": {"Metric": ALARM}}]},
    ),
    ("async-failures-alarmed", "by a composite alarm", {"Failed.AlarmActions": GONE, "All": COMPOSITE}),
    (
        "async-failures-alarmed",
        "a topic with a subscriber",
        {**TO_TOPIC, "Told.Subscription": [{"Protocol": "email", "Endpoint": {"Ref": "Email"}}]},
    ),
    (
        "async-failures-alarmed",
        "a queue elsewhere",
        {"Asynchronous.DestinationConfig.OnFailure.Destination": "arn:aws:sqs:x"},
    ),
    ("async-reserved-concurrency", "none at all, to pause it", {"Ingest.ReservedConcurrentExecutions": 0}),
    ("runtime-supported", "a container image", {"Ingest.Runtime": GONE, "Ingest.PackageType": "Image"}),
    (
        "log-retention",
        "by the name of the function",
        {"Ingest.LoggingConfig": GONE, "Log.LogGroupName": sub("/aws/lambda/${Ingest}")},
    ),
    (
        "log-retention",
        "by the name that it is given",
        {
            "Ingest.LoggingConfig": GONE,
            "Ingest.FunctionName": sub("${AWS::StackName}-f"),
            "Log.LogGroupName": {"Fn::Join": ["", ["/aws/lambda/", {"Ref": "AWS::StackName"}, "-f"]]},
        },
    ),
    (
        "log-retention",
        "by the CDK's resource",
        {
            "Ingest.LoggingConfig": GONE,
            "Log": resource(
                "Custom::LogRetention",
                LogGroupName={"Fn::Join": ["", ["/aws/lambda/", {"Ref": "Ingest"}]]},
                RetentionInDays=14,
            ),
        },
    ),
    (
        "memory-explicit",
        "by a condition",
        {"Ingest.MemorySize": {"Fn::If": ["HasEmail", 1024, 512]}},
    ),
    (
        "s3-every-creation",
        "every kind by itself",
        {
            "Uploads.NotificationConfiguration.LambdaConfigurations": [
                {"Event": f"s3:ObjectCreated:{kind}", "Function": {"Fn::GetAtt": "Ingest.Arn"}}
                for kind in ("Put", "Post", "Copy", "CompleteMultipartUpload")
            ]
        },
    ),
    ("s3-every-creation", "only deletions", {f"{TRIGGER}.Event": "s3:ObjectRemoved:*"}),
    ("s3-permission", "EventBridge has an account in its ARN", SCHEDULED),
    ("s3-loop", "other keys", {CALLS: allow("s3:PutObject", sub("${Uploads.Arn}/out/*"))}),
    (
        "s3-loop",
        "other keys, through EventBridge",
        {**THROUGH_EVENTBRIDGE, **BY_KEY, CALLS: allow("s3:PutObject", sub("${Uploads.Arn}/out/*"))},
    ),
    (
        "s3-loop",
        "deletions, through EventBridge",
        {**THROUGH_EVENTBRIDGE, **BY_KEY, "OnUpload.EventPattern.detail-type": ["Object Deleted"], CALLS: PUT_UPLOADS},
    ),
    (
        "iam-wildcard-action",
        "denied by one",
        {CALLS: PUT_UPLOADS, NEXT: {**PUT_UPLOADS, "Effect": "Deny", "Action": "s3:Put*"}},
    ),
    ("s3-loop", "one key, another one", {CALLS: allow("s3:PutObject", sub("${Uploads.Arn}/in"))}),
    (
        "iam-wildcard-action",
        "a policy of one's own by the name of AWS's",
        {"Role.ManagedPolicyArns": ["arn:aws:iam::1:policy/AmazonS3FullAccess"]},
    ),
    ("s3-loop", "another ending", {CALLS: allow("s3:PutObject", sub("${Uploads.Arn}/in/*.json"))}),
    (
        "s3-loop",
        "another bucket, named after it",
        {CALLS: allow("s3:PutObject", sub("arn:aws:s3:::${Uploads}-done/*"))},
    ),
    (
        "s3-loop",
        "another function's role",
        {"Other": policy("AWS::IAM::Role", []), "P": policy("AWS::IAM::Policy", PUT_UPLOADS, Roles=[{"Ref": "Other"}])},
    ),
    ("s3-loop", "started by deletions", {f"{TRIGGER}.Event": "s3:ObjectRemoved:*", CALLS: PUT_UPLOADS}),
    ("s3-loop", "itself, without the bucket", {CALLS: allow("lambda:InvokeFunction", {"Fn::GetAtt": "Ingest.Arn"})}),
    ("iam-wildcard-action", "denied", {CALLS: {"Effect": "Deny", "Action": "*", "Resource": "*"}}),
    (
        "iam-wildcard-resource",
        "what has no resource",
        {CALLS: allow(["s3:ListAllMyBuckets", "sqs:ListQueues", "xray:PutTraceSegments"], "*")},
    ),
    ("iam-wildcard-resource", "an index of a table", {CALLS: allow("dynamodb:Query", sub("${Rows.Arn}/index/*"))}),
    (
        "iam-wildcard-resource",
        "logs, beside a table",
        {CALLS: allow(["dynamodb:PutItem", "logs:PutLogEvents"], ["arn:aws:logs:*:*:*", {"Fn::GetAtt": "Rows.Arn"}])},
    ),
    ("iam-named-buckets", "any key of one bucket", {CALLS: allow("s3:GetObject", "arn:aws:s3:::logs/*")}),
    ("bucket-public-access", "another's bucket", {"Uploads": GONE, "UploadsPolicy": GONE}),
    (
        "bucket-tls",
        "in two statements",
        {
            TLS: [
                {
                    "Effect": "Deny",
                    "Principal": {"AWS": ["*"]},
                    "Action": ["s3:*"],
                    "Resource": sub(f"arn:aws:s3:::${{Uploads}}{end}"),
                    "Condition": {"Bool": {"aws:secureTransport": ["false"]}},
                }
                for end in ("", "/*")
            ]
        },
    ),
    (
        "bucket-tls",
        "bucket and objects by one asterisk, in upper case",
        {
            f"{TLS}.0.Resource": sub("${Uploads.Arn}*"),
            f"{TLS}.0.Condition": {"BoolIfExists": {"aws:SecureTransport": "false"}},
            f"{TLS}.0.Action": "S3:*",
        },
    ),
    (
        "queue-tls",
        "by a policy of the queue",
        {
            "FailuresPolicy.Queues": GONE,
            "FailuresPolicy.Queue": {"Ref": "Failures"},
            "/Resources.FailuresPolicy.Type": "AWS::SQS::QueueInlinePolicy",
        },
    ),
    (
        "queue-tls",
        "by its name",
        {"Failures.QueueName": "q", "FailuresPolicy.Queues": ["https://sqs.eu-west-1.amazonaws.com/1/q"]},
    ),
    (
        "dead-letter-retention",
        "a queue for work",
        {
            "Work": resource("AWS::SQS::Queue", MessageRetentionPeriod=60),
            "FailuresPolicy.Queues.1": {"Ref": "Work"},
            "FailuresPolicy.PolicyDocument.Statement.0.Resource": "*",
        },
    ),
]


def found(changes: Changes) -> list[Finding]:
    return check(changed(changes), today=TODAY)


@pytest.mark.parametrize(("rule", "how", "changes"), BREAKING, ids=[f"{rule}: {how}" for rule, how, _ in BREAKING])
def test_what_breaks_a_rule_is_found_and_nothing_else(rule: str, how: str, changes: Changes) -> None:  # noqa: ARG001
    findings = {finding.rule.id for finding in found(changes)}
    assert findings == set(rule.split()), [finding.place for finding in found(changes)]


@pytest.mark.parametrize(("rule", "how", "changes"), KEEPING, ids=[f"{rule}: {how}" for rule, how, _ in KEEPING])
def test_what_only_looks_as_if_is_not_found(rule: str, how: str, changes: Changes) -> None:  # noqa: ARG001
    assert found(changes) == []


def test_every_rule_has_templates_on_both_sides() -> None:
    by_package = {"package-size", "package-contents"}
    broken = {rule for rules, _, _ in BREAKING for rule in rules.split()}
    assert broken == {rule for rule, _, _ in KEEPING} == {rule.id for rule in RULES} - by_package


@pytest.mark.parametrize(
    ("rule", "package"),
    [
        (None, Package(MAX_PACKAGE_MB * 1_000_000, frozenset({"pandas.txt", "my_numpy"}))),
        ("package-size", Package(MAX_PACKAGE_MB * 1_000_000 + 1, frozenset())),
        ("package-contents", Package(1, frozenset({"boto3", "pandas"}))),
        ("package-contents", Package(1, frozenset({"numpy"}))),
    ],
)
def test_a_package_is_small_and_has_no_pandas_or_numpy(rule: str | None, package: Package) -> None:
    findings = check(changed({}), today=TODAY, packages={"Ingest": package})
    assert [finding.rule.id for finding in findings] == ([rule] if rule else [])


def test_the_package_of_a_function_that_is_not_deployed_is_none() -> None:
    template = changed({"/Resources.Second": {**SECOND, "Condition": "HasEmail"}})
    package = Package(1, frozenset({"pandas"}))
    [finding] = check(template, today=TODAY, packages={"Second": package})
    assert finding.place.detail == "pandas (if Email is not '')"


class TestRuntime:
    """Support ends on a day, so that the day of the check counts."""

    UNTIL = SUPPORTED_UNTIL["python3.13"]

    @pytest.mark.parametrize(("days", "expected"), [(180, []), (179, [True]), (0, [True]), (-1, [False])])
    def test_is_a_warning_half_a_year_before_its_end_and_an_error_after_it(
        self, days: int, expected: list[bool]
    ) -> None:
        findings = check(changed({}), today=self.UNTIL - timedelta(days=days))
        assert [finding.place.warning for finding in findings] == expected

    def test_dates_are_those_that_cfn_lint_keeps(self) -> None:
        table = Path(cfnlint.__file__).parent / "data" / "AdditionalSpecs" / "LmbdRuntimeLifecycle.json"
        known = {name: dates["deprecated"] for name, dates in json.loads(table.read_text()).items()}
        assert {name: str(until) for name, until in SUPPORTED_UNTIL.items()} == known


class TestAcknowledgement:
    """A rule may be broken by who says why."""

    def acknowledged(self, id_: str, reason: Any) -> list[str | None]:
        rules = {"cdk_nag": {"rules_to_suppress": [{"id": "other", "reason": "x"}, {"id": id_, "reason": reason}]}}
        template = changed({"Ingest.MemorySize": GONE})
        template["Resources"]["Ingest"]["Metadata"] = rules
        return [finding.acknowledged for finding in check(template, today=TODAY)]

    def test_takes_the_rule_and_a_reason(self) -> None:
        assert self.acknowledged("gates::memory-explicit", "it is a test") == ["it is a test"]

    def test_of_another_rule_or_another_tool_counts_for_nothing(self) -> None:
        assert self.acknowledged("gates::async-timeout", "it is a test") == [None]
        assert self.acknowledged("memory-explicit", "it is a test") == [None]

    @pytest.mark.parametrize("reason", [" ", None, False, 0, [], {}])
    def test_without_a_reason_is_none(self, reason: Any) -> None:
        assert self.acknowledged("gates::memory-explicit", reason) == [""]


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["${Uploads}", "${Ingest.Arn}", "*"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Ref", "Fn::Sub", "Fn::Join", "Fn::If", "Fn::Select", "Fn::Split", "Fn::FindInMap", "Type", "x"]
            ),
            inner,
            max_size=2,
        )
    ),
    max_leaves=6,
)


@given(data=st.data(), value=anything)
def test_whatever_a_template_holds_it_is_checked_or_called_invalid(data: st.DataObject, value: Any) -> None:
    template: Any = changed({})
    parent = template
    while True:
        key = data.draw(st.sampled_from(sorted(parent) if isinstance(parent, dict) else range(len(parent))))
        if not (isinstance(parent[key], dict | list) and parent[key]) or data.draw(st.integers(0, 3)) == 0:
            break
        parent = parent[key]
    parent[key] = value
    try:
        check(template, today=TODAY)
    except InvalidTemplate as error:
        assert str(error)  # noqa: PT017  both ends are right


def test_what_depends_on_a_condition_says_on_which() -> None:
    env = {"/Parameters.Env": {"Type": "String", "Default": "dev", "AllowedValues": ["dev", "prod"]}}
    prod = {"/Conditions.Prod": {"Fn::Equals": [{"Ref": "Env"}, "prod"]}}
    [finding] = found({**env, **prod, "Failed.AlarmActions": {"Fn::If": ["Prod", {"Ref": "AWS::NoValue"}, ["arn"]]}})
    assert finding.place.detail == "no alarm with an action watches the queue Failures (if Env is 'prod')"
    template = changed({**env, **prod, "Bad": resource("AWS::S3::Bucket")})
    template["Resources"]["Bad"]["Condition"] = "Prod"
    assert {each.place.resource for each in check(template, today=TODAY)} == {"Bad"}
