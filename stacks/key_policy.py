"""What the policy of a key needs, so that alarms and logs can use the key."""

from aws_cdk import Annotations, Aws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct


def let_services_use(scope: Construct, key: kms.IKey, *, events: bool) -> None:
    """Add the statements of docs/own-app.md to a key's policy. Warns if the key is imported: its policy stays.

    `events`: whether EventBridge sends what it cannot deliver to the failure queue.
    """
    alarms = iam.PolicyStatement(
        principals=[iam.ServicePrincipal(f"{name}.amazonaws.com") for name in ("cloudwatch", *["events"] * events)],
        actions=["kms:Decrypt", "kms:GenerateDataKey*"],
        resources=["*"],
        conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
    )
    groups = f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:log-group:{Stack.of(scope).stack_name}*"
    logs = iam.PolicyStatement(
        principals=[iam.ServicePrincipal(f"logs.{Aws.REGION}.amazonaws.com")],
        actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
        resources=["*"],
        conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
    )
    if not all(key.add_to_resource_policy(each).statement_added for each in (alarms, logs)):
        Annotations.of(scope).add_warning_v2(
            "csv-ingest:key-policy",
            "kms_key is set: without the statements of docs/own-app.md in the key's policy, alarms reach nobody",
        )
