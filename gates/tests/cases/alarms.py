"""Alarms that can fire, and alarms that cannot."""

from typing import Any

from gates.tests.safe import GONE, Case, Changes, resource, sub

BOTH = "async-failures-alarmed alarm-can-fire"
GIVEN: Changes = {"/Parameters.Given": {"Type": "String"}}
QUEUE_NAME = {"Name": "QueueName", "Value": {"Fn::GetAtt": ["Failures", "QueueName"]}}


def lambda_alarm(metric: str, value: Any = None, **properties: Any) -> dict[str, Any]:
    """An alarm of the function, in a template whose other alarm is as it should be."""
    return resource(
        "AWS::CloudWatch::Alarm",
        **{
            "Namespace": "AWS/Lambda",
            "MetricName": metric,
            "Dimensions": [{"Name": "FunctionName", "Value": value or {"Ref": "Ingest"}}],
            "Statistic": "Maximum",
            "Threshold": 0,
            "ComparisonOperator": "GreaterThanThreshold",
            **properties,
        },
    )


VIOLATING: list[Case] = [
    (BOTH, "an attribute of the queue", {"Failed.MetricName": "ApproximateNumberOfMessages"}),
    (BOTH, "a metric of functions", {"Failed.MetricName": "Errors"}),
    (BOTH, "a metric that is in no table", {"Failed.MetricName": "MessagesVisible"}),
    (BOTH, "the namespace of functions", {"Failed.Namespace": "AWS/Lambda"}),
    (BOTH, "another service's namespace", {"Failed.Namespace": "AWS/SNS"}),
    (BOTH, "a namespace in other letters", {"Failed.Namespace": "AWS/Sqs"}),
    (BOTH, "no dimension", {"Failed.Dimensions": GONE}),
    (BOTH, "another dimension", {"Failed.Dimensions.0.Name": "Queue"}),
    (BOTH, "a dimension too many", {"Failed.Dimensions.1": {"Name": "Stage", "Value": "prod"}}),
    (BOTH, "the URL of the queue", {"Failed.Dimensions.0.Value": {"Ref": "Failures"}}),
    (BOTH, "the ARN of the queue", {"Failed.Dimensions.0.Value": {"Fn::GetAtt": "Failures.Arn"}}),
    (
        BOTH,
        "an age that no message reaches",
        {"Failed.MetricName": "ApproximateAgeOfOldestMessage", "Failed.Threshold": "1209600"},
    ),
    ("async-failures-alarmed", "a namespace of its own", {"Failed.Namespace": "SQS"}),
    ("async-failures-alarmed", "a hundred million messages", {"Failed.Threshold": 100_000_000}),
    ("alarm-can-fire", "a metric with a typing error", {"Errors": lambda_alarm("Error")}),
    ("alarm-can-fire", "a metric of queues", {"Errors": lambda_alarm("NumberOfMessagesSent")}),
    ("alarm-can-fire", "the ARN of a function", {"Errors": lambda_alarm("Errors", {"Fn::GetAtt": ["Ingest", "Arn"]})}),
    (
        "alarm-can-fire",
        "the ARN of an alias",
        {
            "Live": resource("AWS::Lambda::Alias", FunctionName={"Ref": "Ingest"}, Name="live"),
            "Errors": lambda_alarm("Errors", {"Ref": "Live"}),
        },
    ),
    (
        "alarm-can-fire",
        "a dimension that functions do not have",
        {"Errors": lambda_alarm("Errors", Dimensions=[{"Name": "Function", "Value": {"Ref": "Ingest"}}])},
    ),
    ("alarm-can-fire", "a duration above the longest", {"Slow": lambda_alarm("Duration", Threshold=900_000)}),
    (
        "alarm-can-fire",
        "in metric math",
        {
            "Rate": resource(
                "AWS::CloudWatch::Alarm",
                Metrics=[{"MetricStat": {"Metric": {"Namespace": "AWS/SQS", "MetricName": "NumberOfMessagesSent"}}}],
            )
        },
    ),
]

UNDECIDED: list[Case] = [
    ("async-failures-alarmed", "a given threshold", {**GIVEN, "Failed.Threshold": {"Ref": "Given"}}),
    ("async-failures-alarmed", "given whether it acts", {**GIVEN, "Failed.ActionsEnabled": {"Ref": "Given"}}),
    ("async-failures-alarmed", "a given queue", {**GIVEN, "Failed.Dimensions.0.Value": {"Ref": "Given"}}),
    ("async-failures-alarmed", "an imported queue", {"Failed.Dimensions.0.Value": {"Fn::ImportValue": "the-queue"}}),
    ("async-failures-alarmed", "a given comparison", {**GIVEN, "Failed.ComparisonOperator": {"Ref": "Given"}}),
    ("async-failures-alarmed", "a given namespace", {**GIVEN, "Failed.Namespace": {"Ref": "Given"}}),
    (
        "async-failures-alarmed",
        "by a given rule of a composite alarm",
        {
            **GIVEN,
            "Failed.AlarmActions": GONE,
            "All": resource("AWS::CloudWatch::CompositeAlarm", AlarmRule={"Ref": "Given"}, AlarmActions=["arn"]),
        },
    ),
    (BOTH, "a given metric", {**GIVEN, "Failed.MetricName": {"Ref": "Given"}}),
    (BOTH, "a given dimension", {**GIVEN, "Failed.Dimensions.0.Name": {"Ref": "Given"}}),
    (
        "async-failures-alarmed",
        "a query of many queues",
        {
            "Failed": resource(
                "AWS::CloudWatch::Alarm",
                Metrics=[{"Expression": 'SELECT MAX(ApproximateNumberOfMessagesVisible) FROM "AWS/SQS"', "Id": "q"}],
                Threshold=0,
                ComparisonOperator="GreaterThanThreshold",
                AlarmActions=["arn"],
            )
        },
    ),
]

COMPLIANT: list[Case] = [
    (
        "alarm-can-fire",
        "any metric in a namespace of its own",
        {"Own": lambda_alarm("ApproximateNumberOfMessages", Namespace="Orders", Threshold=100_000_000)},
    ),
    (
        "alarm-can-fire",
        "a namespace that the deployment knows",
        {"Own": lambda_alarm("Rejected", Namespace=sub("${AWS::StackName}"))},
    ),
    ("alarm-can-fire", "a service without a table", {"Api": lambda_alarm("5XXError", Namespace="AWS/ApiGateway")}),
    ("alarm-can-fire", "all functions", {"All": lambda_alarm("Throttles", Dimensions=[])}),
    (
        "alarm-can-fire",
        "an alias",
        {
            "Live": lambda_alarm(
                "Errors",
                Dimensions=[
                    {"Name": "FunctionName", "Value": {"Ref": "Ingest"}},
                    {"Name": "Resource", "Value": sub("${Ingest}:live")},
                ],
            )
        },
    ),
    (
        "alarm-can-fire",
        "a sum of durations",
        {"Busy": lambda_alarm("Duration", Threshold=10_000_000, Statistic="Sum")},
    ),
    ("async-failures-alarmed", "a hundred messages", {"Failed.Threshold": 100}),
    (
        "async-failures-alarmed",
        "the last day of the retention",
        {"Failed.MetricName": "ApproximateAgeOfOldestMessage", "Failed.Threshold": 1_123_200},
    ),
    (
        "async-failures-alarmed",
        "an anomaly",
        {
            "Failed": resource(
                "AWS::CloudWatch::Alarm",
                Metrics=[
                    {
                        "Id": "m",
                        "MetricStat": {
                            "Metric": {
                                "Namespace": "AWS/SQS",
                                "MetricName": "NumberOfMessagesSent",
                                "Dimensions": [QUEUE_NAME],
                            }
                        },
                    },
                    {"Id": "band", "Expression": "ANOMALY_DETECTION_BAND(m, 2)"},
                ],
                ThresholdMetricId="band",
                ComparisonOperator="LessThanLowerOrGreaterThanUpperThreshold",
                AlarmActions=["arn"],
            )
        },
    ),
]
