"""Every function: runtime, logs, memory."""

from gates.tests.safe import GONE, SECOND_FUNCTION, Case, resource, sub

VIOLATING: list[Case] = [
    ("runtime-supported", "past its support", {"Ingest.Runtime": "python3.9"}),
    ("runtime-supported", "near the end of its support", {"Ingest.Runtime": "nodejs22.x"}),
    ("runtime-supported", "unknown", {"Ingest.Runtime": "python9"}),
    ("runtime-supported", "of a function that nothing invokes", {"Second": SECOND_FUNCTION, "Second.Runtime": "go1.x"}),
    ("log-retention", "no retention", {"Log.RetentionInDays": GONE}),
    ("log-retention", "Lambda's own log group", {"Ingest.LoggingConfig": GONE}),
    ("memory-explicit", "the default", {"Ingest.MemorySize": GONE}),
]

UNDECIDED: list[Case] = [
    (
        "runtime-supported",
        "a parameter without a default",
        {"/Parameters.R": {"Type": "String"}, "Ingest.Runtime": {"Ref": "R"}},
    ),
    (
        "log-retention",
        "the log group of another stack",
        {"Ingest.LoggingConfig.LogGroup": {"Fn::ImportValue": "log"}},
    ),
    (
        "log-retention",
        "a log group with a given name",
        {
            "/Parameters.Given": {"Type": "String"},
            "Ingest.LoggingConfig": GONE,
            "Log.LogGroupName": {"Ref": "Given"},
        },
    ),
    ("log-retention", "a log group by its name", {"Ingest.LoggingConfig.LogGroup": "shared"}),
]

COMPLIANT: list[Case] = [
    (
        "memory-explicit",
        "a parameter without a default",
        {"/Parameters.M": {"Type": "Number"}, "Ingest.MemorySize": {"Ref": "M"}},
    ),
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
]
