"""Triggers on uploads: complete, for one bucket only, and without a loop."""

from typing import Any

from gates.tests.safe import (
    ADDED,
    ADDED_NEXT,
    BUCKET_POLICY,
    GONE,
    PUT_UPLOADS,
    SCHEDULED,
    THROUGH_EVENTBRIDGE,
    THROUGH_QUEUE,
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


def joined(*parts: Any) -> Any:
    return {"Fn::Join": ["", list(parts)]}


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
        "to a topic that starts no function",
        {
            "Uploads.NotificationConfiguration": {
                "TopicConfigurations": [{"Event": "s3:ObjectCreated:Put", "Topic": {"Ref": "Told"}}]
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
    (
        "s3-permission",
        "of a principal of any region",
        {"MayInvoke.Principal": sub("s3.${AWS::URLSuffix}"), "MayInvoke.SourceAccount": GONE},
    ),
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
    *(
        (
            "s3-loop",
            f"keys that EventBridge does not leave out: {matcher}",
            {
                **THROUGH_EVENTBRIDGE,
                **BY_KEY,
                "OnUpload.EventPattern.detail.object.key": [matcher],
                ADDED: allow("s3:PutObject", sub("${Uploads.Arn}/out/*.json")),
            },
        )
        for matcher in (
            {"anything-but": {"prefix": "out/done/"}},
            {"anything-but": {"suffix": ".csv"}},
            {"anything-but": "out/one.json"},
            {"anything-but": {"equals-ignore-case": "OUT/"}},
            {"wildcard": "out/*"},
            {"prefix": {"equals-ignore-case": "OUT/"}},
            "out/one.json",
        )
    ),
    (
        "s3-loop",
        "the bucket that its permission names",
        {
            "Uploads.NotificationConfiguration": GONE,
            "MayInvoke.SourceArn": "arn:aws:s3:::theirs",
            ADDED: allow("s3:PutObject", "arn:aws:s3:::theirs/*"),
        },
    ),
    (
        "s3-loop",
        "a given bucket that its permission names",
        {
            "/Parameters.Given": {"Type": "String"},
            "Uploads.NotificationConfiguration": GONE,
            "MayInvoke.SourceArn": sub("arn:aws:s3:::${Given}"),
            ADDED: allow("s3:PutObject", sub("arn:aws:s3:::${Given}/*")),
        },
    ),
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

GIVEN: Changes = {"/Parameters.Given": {"Type": "String"}, "/Parameters.Other": {"Type": "String"}}
ELSEWHERE: Changes = {
    **GIVEN,
    "Uploads.NotificationConfiguration": GONE,
    "MayInvoke.SourceArn": sub("arn:aws:s3:::${Given}"),
}
"""The bucket and its notification are in another stack."""

UNDECIDED: list[Case] = [
    ("s3-every-creation", "a given event", {**GIVEN, f"{TRIGGER}.Event": {"Ref": "Given"}}),
    (
        "s3-permission",
        "for a given service",
        {**GIVEN, "MayInvoke.Principal": {"Ref": "Given"}, "MayInvoke.SourceArn": GONE},
    ),
    ("s3-loop", "to a given bucket", {**GIVEN, ADDED: allow("s3:PutObject", sub("arn:aws:s3:::${Given}/*"))}),
    ("s3-loop", "to an imported bucket", {ADDED: allow("s3:PutObject", joined({"Fn::ImportValue": "a/b"}, "/*"))}),
    (
        "s3-loop",
        "to keys below another unknown value",
        {
            f"{TRIGGER}.Filter.S3Key.Rules.0.Value": sub("${AWS::AccountId}/in/"),
            ADDED: allow("s3:PutObject", sub("${Uploads.Arn}/${AWS::Region}/*")),
        },
    ),
    ("s3-loop", "to given keys", {**GIVEN, ADDED: allow("s3:PutObject", sub("${Uploads.Arn}/${Given}/*"))}),
    (
        "s3-loop",
        "to keys outside a given prefix",
        {
            **GIVEN,
            f"{TRIGGER}.Filter.S3Key.Rules.0.Value": {"Ref": "Given"},
            ADDED: allow("s3:PutObject", sub("${Uploads.Arn}/out/*")),
        },
    ),
    ("s3-loop iam-wildcard-action", "by a given action", {**GIVEN, ADDED: {**PUT_UPLOADS, "Action": {"Ref": "Given"}}}),
    (
        "s3-loop",
        "denied for given keys",
        {
            **GIVEN,
            ADDED: PUT_UPLOADS,
            ADDED_NEXT: {**PUT_UPLOADS, "Effect": "Deny", "Resource": sub("${Uploads.Arn}/${Given}*")},
        },
    ),
    ("s3-loop", "by a given role", {**GIVEN, "Ingest.Role": {"Ref": "Given"}}),
    (
        "s3-loop",
        "some keys of a bucket in another stack",
        {**ELSEWHERE, ADDED: allow("s3:PutObject", sub("arn:aws:s3:::${Given}/out/*"))},
    ),
    (
        "s3-loop",
        "a given bucket, started by another",
        {**ELSEWHERE, ADDED: allow("s3:PutObject", sub("arn:aws:s3:::${Other}/*"))},
    ),
    (
        "s3-loop",
        "keys but those with a given prefix",
        {
            **GIVEN,
            **THROUGH_EVENTBRIDGE,
            **BY_KEY,
            "OnUpload.EventPattern.detail.object.key": [{"anything-but": {"prefix": {"Ref": "Given"}}}],
            ADDED: allow("s3:PutObject", sub("${Uploads.Arn}/out/*")),
        },
    ),
]

COMPLIANT: list[Case] = [
    *(
        (
            "s3-loop",
            f"only keys that EventBridge leaves out: {matcher}",
            {
                **THROUGH_EVENTBRIDGE,
                **BY_KEY,
                "OnUpload.EventPattern.detail.object.key": [matcher],
                ADDED: allow("s3:PutObject", sub("${Uploads.Arn}/out/*.json")),
            },
        )
        for matcher in (
            {"anything-but": {"prefix": "out/"}},
            {"anything-but": {"prefix": ["tmp/", "out/"]}},
            {"anything-but": {"suffix": ".json"}},
            {"anything-but": {"wildcard": "out/*.json"}},
            {"wildcard": "in/*"},
            "in/one.json",
        )
    ),
    (
        "s3-loop",
        "keys outside a given prefix, surely",
        {
            **GIVEN,
            f"{TRIGGER}.Filter.S3Key.Rules.0.Value": sub("in/${Given}"),
            ADDED: allow("s3:PutObject", sub("${Uploads.Arn}/out/*")),
        },
    ),
    *(
        (
            "s3-loop",
            f"keys that differ after the same unknown value: {written}",
            {
                f"{TRIGGER}.Filter.S3Key.Rules.0.Value": sub("${AWS::AccountId}/in/"),
                f"{TRIGGER}.Filter.S3Key.Rules.1.Value": sub(".csv.${AWS::Region}"),
                ADDED: allow("s3:PutObject", sub("${Uploads.Arn}/" + written)),
            },
        )
        for written in ("${AWS::AccountId}/out/*", "*.json.${AWS::Region}")
    ),
    (
        "s3-loop",
        "another bucket, started from another stack",
        {
            **ELSEWHERE,
            "MayInvoke.SourceArn": "arn:aws:s3:::theirs",
            ADDED: allow("s3:PutObject", "arn:aws:s3:::done/*"),
        },
    ),
    ("s3-permission", "of a given bucket", ELSEWHERE),
    (
        "s3-permission",
        "of the logs of a region",
        {
            "MayLog": resource(
                "AWS::Lambda::Permission",
                Action="lambda:InvokeFunction",
                FunctionName={"Ref": "Ingest"},
                Principal=sub("logs.${AWS::Region}.amazonaws.com"),
                SourceAccount={"Ref": "AWS::AccountId"},
            )
        },
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
            "MayInvoke.Principal": "events.amazonaws.com",
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
