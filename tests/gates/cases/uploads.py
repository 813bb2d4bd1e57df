"""Triggers on uploads: complete, for one bucket only, and without a loop."""

from tests.gates.safe import (
    ADDED,
    ADDED_NEXT,
    BUCKET_POLICY,
    GONE,
    PUT_UPLOADS,
    SCHEDULED,
    THROUGH_EVENTBRIDGE,
    THROUGH_TOPIC,
    TRIGGER,
    Case,
    Changes,
    allow,
    policy,
    resource,
    sub,
)

ROLES = [{"Ref": "Role"}]
JSON_TEXT = '{"Statement": {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::u/*"}}'
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
BY_KEY: Changes = {
    "OnUpload.EventPattern": {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [{"Ref": "Uploads"}]}, "object": {"key": [{"prefix": "in/"}]}},
    }
}

VIOLATING: list[Case] = [
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
    ("s3-loop", "through its role", {ADDED: PUT_UPLOADS}),
    (
        "s3-loop",
        "by the bucket's name",
        {ADDED: allow("s3:PutObject", sub("arn:aws:s3:::${AWS::StackName}-uploads/*"))},
    ),
    ("s3-loop", "narrower keys", {ADDED: allow("s3:PutObject", sub("${Uploads.Arn}/in/done/*"))}),
    ("s3-loop", "keys by other wildcards", {ADDED: allow("s3:PutObject", sub("${Uploads.Arn}/i?/*"))}),
    ("s3-loop", "one key", {ADDED: allow("s3:PutObject", ["arn:aws:s3:::x/y", sub("${Uploads.Arn}/in/a.csv")])}),
    ("s3-loop", "through EventBridge, by keys", {**THROUGH_EVENTBRIDGE, **BY_KEY, ADDED: PUT_UPLOADS}),
    (
        "s3-loop",
        "denied under a condition",
        {
            ADDED: PUT_UPLOADS,
            ADDED_NEXT: {**PUT_UPLOADS, "Effect": "Deny", "Condition": {"Bool": {"x": "true"}}},
        },
    ),
    ("s3-loop iam-named-buckets", "every object", {ADDED: allow("s3:PutObject", "arn:aws:s3:::*")}),
    ("s3-loop iam-wildcard-resource", "everywhere", {ADDED: allow("s3:PutObject", "arn:aws:*")}),
    (
        "s3-loop iam-wildcard-resource",
        "everything but",
        {ADDED: {"Effect": "Allow", "Action": "s3:PutObject", "NotResource": "arn:aws:s3:::other/*"}},
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
        {f"{BUCKET_POLICY}.1": {**PUT_UPLOADS, "Principal": {"AWS": {"Fn::GetAtt": "Role.Arn"}}}},
    ),
    (
        "s3-loop",
        "everybody may write",
        {f"{BUCKET_POLICY}.1": {**PUT_UPLOADS, "Principal": "*"}},
    ),
    ("s3-loop", "through a topic", {**THROUGH_TOPIC, ADDED: PUT_UPLOADS}),
    ("s3-loop", "through a queue", {**THROUGH_QUEUE, ADDED: PUT_UPLOADS}),
    ("s3-loop", "through EventBridge", {**THROUGH_EVENTBRIDGE, ADDED: PUT_UPLOADS}),
]

COMPLIANT: list[Case] = [
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
    ("s3-loop", "other keys", {ADDED: allow("s3:PutObject", sub("${Uploads.Arn}/out/*"))}),
    (
        "s3-loop",
        "other keys, through EventBridge",
        {**THROUGH_EVENTBRIDGE, **BY_KEY, ADDED: allow("s3:PutObject", sub("${Uploads.Arn}/out/*"))},
    ),
    (
        "s3-loop",
        "deletions, through EventBridge",
        {
            **THROUGH_EVENTBRIDGE,
            **BY_KEY,
            "OnUpload.EventPattern.detail-type": ["Object Deleted"],
            ADDED: PUT_UPLOADS,
        },
    ),
    ("s3-loop", "one other key", {ADDED: allow("s3:PutObject", sub("${Uploads.Arn}/in"))}),
    ("s3-loop", "another ending", {ADDED: allow("s3:PutObject", sub("${Uploads.Arn}/in/*.json"))}),
    (
        "s3-loop",
        "another bucket, named after it",
        {ADDED: allow("s3:PutObject", sub("arn:aws:s3:::${Uploads}-done/*"))},
    ),
    (
        "s3-loop",
        "another function's role",
        {"Other": policy("AWS::IAM::Role", []), "P": policy("AWS::IAM::Policy", PUT_UPLOADS, Roles=[{"Ref": "Other"}])},
    ),
    ("s3-loop", "started by deletions", {f"{TRIGGER}.Event": "s3:ObjectRemoved:*", ADDED: PUT_UPLOADS}),
    (
        "s3-loop",
        "only invokes itself",
        {ADDED: allow("lambda:InvokeFunction", {"Fn::GetAtt": "Ingest.Arn"})},
    ),
]
