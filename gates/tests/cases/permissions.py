"""IAM policies: actions, resources and buckets."""

from gates.tests.safe import ADDED, ADDED_NEXT, PUT_UPLOADS, Case, Changes, allow, resource, sub

AWS_POLICY = "arn:aws:iam::aws:policy/"

VIOLATING: list[Case] = [
    ("iam-wildcard-action", "all of a service", {ADDED: allow("dynamodb:*", {"Fn::GetAtt": "Rows.Arn"})}),
    ("iam-wildcard-action", "a family", {ADDED: allow(["logs:PutLogEvents", "logs:Create*"], "arn")}),
    ("iam-wildcard-action", "all but one", {ADDED: {"Effect": "Allow", "NotAction": "iam:*", "Resource": "arn"}}),
    (
        "iam-wildcard-action",
        "of a user",
        {"U": resource("AWS::IAM::User", Policies=[{"PolicyDocument": {"Statement": allow("iam:*", "arn")}}])},
    ),
    (
        "iam-wildcard-action",
        "an unknown full-access policy of AWS",
        {"Role.ManagedPolicyArns": [AWS_POLICY + "IAMFullAccess"]},
    ),
    (
        "iam-wildcard-action",
        "a managed policy of AWS",
        {"Role.ManagedPolicyArns": [AWS_POLICY + "CloudWatchLogsFullAccess"]},
    ),
    ("iam-wildcard-resource", "any table", {ADDED: allow("dynamodb:PutItem", "*")}),
    (
        "iam-wildcard-resource",
        "any table here",
        {ADDED: allow("dynamodb:PutItem", sub("arn:aws:dynamodb:${AWS::Region}:${AWS::AccountId}:table/*"))},
    ),
    ("iam-wildcard-resource", "any queue", {ADDED: allow("SQS:SendMessage", ["arn:aws:sqs:*:*:*"])}),
    ("iam-wildcard-resource", "any object", {ADDED: allow("s3:GetObject", "*")}),
    (
        "iam-wildcard-resource",
        "a managed policy of AWS",
        {"Role.ManagedPolicyArns": [AWS_POLICY + "service-role/AWSLambdaSQSQueueExecutionRole"]},
    ),
    *(
        ("iam-wildcard-resource", f"as {arn}", {ADDED: allow("dynamodb:PutItem", arn)})
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
    ("iam-wildcard-resource", "some queues", {ADDED: allow("sqs:SendMessage", "arn:aws:sqs:eu-west-1:1:app-*")}),
    ("iam-wildcard-resource", "in a list in a list", {ADDED: allow("sqs:SendMessage", [["*"]])}),
    ("iam-named-buckets", "any bucket", {ADDED: allow("s3:GetObject", "arn:aws:s3:::*")}),
    ("iam-named-buckets", "any bucket's objects", {ADDED: allow("s3:GetObject", "arn:aws:s3:::*/*")}),
    ("iam-named-buckets", "some buckets", {ADDED: allow("s3:GetObject", "arn:aws:s3:::logs-*/in.csv")}),
]

GIVEN: Changes = {"/Parameters.Given": {"Type": "String"}}

UNDECIDED: list[Case] = [
    ("iam-wildcard-action", "a given action", {**GIVEN, ADDED: allow({"Ref": "Given"}, "arn")}),
    (
        "iam-named-buckets",
        "what begins as given",
        {**GIVEN, ADDED: allow("s3:GetObject", sub("arn:aws:s3:::${Given}*"))},
    ),
    (
        "s3-loop iam-wildcard-action",
        "a statement by region",
        {ADDED: {"Fn::FindInMap": ["Statements", {"Ref": "AWS::Region"}, "x"]}},
    ),
    (
        "iam-wildcard-action",
        "a given effect",
        {**GIVEN, ADDED: {**allow({"Ref": "Given"}, "arn"), "Effect": {"Ref": "Given"}}},
    ),
]

COMPLIANT: list[Case] = [
    (
        "iam-wildcard-resource",
        "a given table is one table",
        {**GIVEN, ADDED: allow("dynamodb:PutItem", {"Ref": "Given"})},
    ),
    (
        "iam-named-buckets",
        "a given bucket is one bucket",
        {**GIVEN, ADDED: allow("s3:GetObject", sub("arn:aws:s3:::${Given}/*"))},
    ),
    (
        "iam-wildcard-action",
        "denied by a wildcard",
        {ADDED: PUT_UPLOADS, ADDED_NEXT: {**PUT_UPLOADS, "Effect": "Deny", "Action": "s3:Put*"}},
    ),
    (
        "iam-wildcard-action",
        "the account's own policy, named as one of AWS",
        {"Role.ManagedPolicyArns": ["arn:aws:iam::1:policy/AmazonS3FullAccess"]},
    ),
    ("iam-wildcard-action", "denied", {ADDED: {"Effect": "Deny", "Action": "*", "Resource": "*"}}),
    (
        "iam-wildcard-resource",
        "actions without a resource",
        {ADDED: allow(["s3:ListAllMyBuckets", "sqs:ListQueues", "xray:PutTraceSegments"], "*")},
    ),
    ("iam-wildcard-resource", "an index of a table", {ADDED: allow("dynamodb:Query", sub("${Rows.Arn}/index/*"))}),
    (
        "iam-wildcard-resource",
        "logs with a wildcard, and a table",
        {ADDED: allow(["dynamodb:PutItem", "logs:PutLogEvents"], ["arn:aws:logs:*:*:*", {"Fn::GetAtt": "Rows.Arn"}])},
    ),
    ("iam-named-buckets", "any key of one bucket", {ADDED: allow("s3:GetObject", "arn:aws:s3:::logs/*")}),
]
