"""What all parts of a pipeline have in common: how data is kept, least privilege, and accepted findings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import Acknowledgment, Aws, RemovalPolicy, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct, IConstruct

USE_OF_TABLES = (
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
"""What is done with the key of a table that is read and written: the actions of the CDK's
`Table.grant_read_write_data`, without its wildcards."""


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """How data and logs are kept: with which key, for how long, and whether they outlive the stack."""

    key: kms.IKey | None
    former_keys: Sequence[kms.IKey]
    """Under which there are uploads and messages from before the key was another one."""
    removal_policy: RemovalPolicy
    log_retention: logs.RetentionDays
    files_days: int | None = None
    """How many days the ledger keeps what it has of a settled upload; None: for ever."""

    @property
    def outlives_stack(self) -> bool:
        return self.removal_policy != RemovalPolicy.DESTROY

    def allow_reading(self, service: str) -> list[iam.PolicyStatement]:
        """Allow to decrypt what S3 or SQS keeps, also under former keys."""
        statements = allow_key(self.key or next(iter(self.former_keys), None), service, "kms:Decrypt")
        for statement in statements:
            statement.add_resources(*(key.key_arn for key in self.former_keys))
        return statements

    @property
    def unless_created(self) -> RemovalPolicy:
        """The same, but what a deployment has made is removed with it if it fails, so that nothing is left behind.

        Not of tables: their deletion protection would have the removal fail, and a new feed's table can have rows by
        then. Of a bucket, S3 removes none that has an object.
        """
        retains = self.removal_policy == RemovalPolicy.RETAIN
        return RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if retains else self.removal_policy

    def log_group(self, scope: Construct) -> logs.LogGroup:
        return logs.LogGroup(
            scope,
            "Log",
            retention=self.log_retention,
            encryption_key=self.key,
            removal_policy=self.unless_created,
        )


def allow(resource: str, *actions: str) -> iam.PolicyStatement:
    """Allow exactly these actions on exactly this resource."""
    return iam.PolicyStatement(actions=list(actions), resources=[resource])


def allow_each(resources: Sequence[str], *actions: str) -> list[iam.PolicyStatement]:
    """Allow exactly these actions on each of some resources; no statement if there is none."""
    return [iam.PolicyStatement(actions=list(actions), resources=list(resources))] if resources else []


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


def acknowledge(construct: IConstruct, reason: str, *rules: str) -> None:
    """Accept that the resource of a construct breaks some rules.

    A rule is `gates::RULE`, `AwsSolutions::AwsSolutions-RULE` or `Serverless::Serverless-RULE`, as `cdk synth` writes
    it. The reason is in the template, in the resource's metadata, and in the CDK's validation report.
    """
    # Only the resource, because what is below the construct, such as a policy, would break the rules unnoticed.
    resource = construct.node.default_child or construct
    Validations.of(resource).acknowledge(*(Acknowledgment(id=rule, reason=reason) for rule in rules))


def wildcard_resource(construct: IConstruct, arn: str) -> str:
    """Return the id of cdk-nag's finding about an ARN with an asterisk."""
    return f"AwsSolutions::AwsSolutions-IAM5[Resource::{_nag_text(Stack.of(construct).resolve(arn))}]"


def _nag_text(value: Any) -> str:
    """Write a value of the template as cdk-nag does: `<Name>` or `<Name.Attribute>` stands for what is known later."""
    match value:
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(_nag_text, parts))
    return str(value)
