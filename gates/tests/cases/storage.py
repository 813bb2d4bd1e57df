"""Buckets and queues."""

from gates.tests.safe import BUCKET_POLICY, GONE, Case, Changes, resource, sub

GIVEN: Changes = {"/Parameters.Given": {"Type": "String"}}

VIOLATING: list[Case] = [
    ("bucket-public-access", "one missing", {"Uploads.PublicAccessBlockConfiguration.BlockPublicAcls": GONE}),
    ("bucket-public-access", "one false", {"Uploads.PublicAccessBlockConfiguration.IgnorePublicAcls": "false"}),
    ("bucket-tls", "no policy", {"UploadsPolicy": GONE}),
    ("bucket-tls", "the policy of another bucket", {"UploadsPolicy.Bucket": "other"}),
    ("bucket-tls", "not its objects", {f"{BUCKET_POLICY}.0.Resource": {"Fn::GetAtt": "Uploads.Arn"}}),
    ("bucket-tls", "not every action", {f"{BUCKET_POLICY}.0.Action": "s3:GetObject"}),
    ("bucket-tls", "not for everybody", {f"{BUCKET_POLICY}.0.Principal": {"AWS": "arn"}}),
    (
        "bucket-tls",
        "the wrong way round",
        {f"{BUCKET_POLICY}.0.Condition": {"Bool": {"aws:SecureTransport": True}}},
    ),
    (
        "bucket-tls",
        "under a second condition",
        {f"{BUCKET_POLICY}.0.Condition.StringEquals": {"aws:PrincipalAccount": "1"}},
    ),
    (
        "queue-tls",
        "of another queue",
        {"FailuresPolicy.PolicyDocument.Statement.0.Resource": "arn:aws:sqs:eu-west-1:1:x"},
    ),
    ("queue-tls", "no policy", {"FailuresPolicy": GONE}),
    ("queue-tls", "allowed", {"FailuresPolicy.PolicyDocument.Statement.0.Effect": "Allow"}),
    ("dead-letter-retention", "SQS's default", {"Failures.MessageRetentionPeriod": GONE}),
    (
        "dead-letter-retention dead-letters-alarmed",
        "of another queue, as JSON text",
        {
            "Dead": resource("AWS::SQS::Queue", QueueName="dead"),
            "FailuresPolicy.Queues.1": {"Ref": "Dead"},
            "FailuresPolicy.PolicyDocument.Statement.0.Resource": "*",
            "Failures.RedrivePolicy": '{"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:1:dead"}',
        },
    ),
    (
        "bucket-public-access",
        "one false, one given",
        {
            **GIVEN,
            "Uploads.PublicAccessBlockConfiguration.BlockPublicAcls": {"Ref": "Given"},
            "Uploads.PublicAccessBlockConfiguration.IgnorePublicAcls": False,
        },
    ),
    (
        "bucket-tls",
        "for a given role only",
        {**GIVEN, f"{BUCKET_POLICY}.0.Principal": {"AWS": {"Ref": "Given"}}},
    ),
    ("dead-letter-retention", "a day", {"Failures.MessageRetentionPeriod": 86_400}),
]

UNDECIDED: list[Case] = [
    (
        "bucket-public-access",
        "one given",
        {**GIVEN, "Uploads.PublicAccessBlockConfiguration.BlockPublicAcls": {"Ref": "Given"}},
    ),
    (
        "bucket-public-access",
        "all by region",
        {"Uploads.PublicAccessBlockConfiguration": {"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "x"]}},
    ),
    ("bucket-tls", "the policy of a given bucket", {**GIVEN, "UploadsPolicy.Bucket": {"Ref": "Given"}}),
    (
        "bucket-tls",
        "a statement by region",
        {f"{BUCKET_POLICY}.0": {"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "x"]}},
    ),
    (
        "bucket-tls s3-loop iam-wildcard-action",
        "a given effect",
        {**GIVEN, f"{BUCKET_POLICY}.0.Effect": {"Ref": "Given"}},
    ),
    (
        "bucket-tls",
        "for the ARN of a given bucket",
        {
            **GIVEN,
            f"{BUCKET_POLICY}.0.Resource": [sub("arn:aws:s3:::${Given}"), sub("arn:aws:s3:::${Given}/*")],
        },
    ),
    (
        "queue-tls",
        "for the ARN of a given queue",
        {**GIVEN, "FailuresPolicy.PolicyDocument.Statement.0.Resource": {"Ref": "Given"}},
    ),
    ("queue-tls", "the policy of a given queue", {**GIVEN, "FailuresPolicy.Queues": [{"Ref": "Given"}]}),
    ("dead-letter-retention", "a given time", {**GIVEN, "Failures.MessageRetentionPeriod": {"Ref": "Given"}}),
]

COMPLIANT: list[Case] = [
    ("bucket-public-access", "not configured", {"Uploads.PublicAccessBlockConfiguration": GONE}),
    ("bucket-public-access", "a bucket of another stack", {"Uploads": GONE, "UploadsPolicy": GONE}),
    (
        "bucket-tls",
        "in two statements",
        {
            BUCKET_POLICY: [
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
            f"{BUCKET_POLICY}.0.Resource": sub("${Uploads.Arn}*"),
            f"{BUCKET_POLICY}.0.Condition": {"BoolIfExists": {"aws:SecureTransport": "false"}},
            f"{BUCKET_POLICY}.0.Action": "S3:*",
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
