"""Statements of least privilege: actions and resources are named one by one."""

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms


def allow(resource: str, *actions: str) -> iam.PolicyStatement:
    """Allow exactly these actions on exactly this resource."""
    return iam.PolicyStatement(actions=list(actions), resources=[resource])


def allow_key(key: kms.IKey | None, service: str, *actions: str) -> list[iam.PolicyStatement]:
    """Allow the use of a KMS key through one service, such as "s3", and not by itself. Without a key: no statement."""
    if not key:
        return []
    return [
        iam.PolicyStatement(
            actions=list(actions),
            resources=[key.key_arn],
            conditions={"StringEquals": {"kms:ViaService": f"{service}.{Aws.REGION}.{Aws.URL_SUFFIX}"}},
        )
    ]
