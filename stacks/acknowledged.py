"""Findings of the policy checks that were looked at and accepted, each where it arises and with the reason."""

from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, reason: str, *rules: str) -> None:
    """Accept that the resource of a construct breaks some rules.

    A rule is `gates::RULE`, `AwsSolutions::AwsSolutions-RULE` or `Serverless::Serverless-RULE`, as `cdk synth` writes
    it. The reason is in the template, in the resource's metadata, and in the CDK's validation report.
    """
    # Not the construct: what is below it, such as its policy, would break the rules unseen.
    resource = construct.node.default_child or construct
    Validations.of(resource).acknowledge(*(Acknowledgment(id=rule, reason=reason) for rule in rules))


def wildcard_resource(construct: IConstruct, arn: str) -> str:
    """The id of cdk-nag's rule against an ARN with an asterisk, which contains the ARN."""
    return f"AwsSolutions::AwsSolutions-IAM5[Resource::{_in_cdk_nag(Stack.of(construct).resolve(arn))}]"


def _in_cdk_nag(value: Any) -> str:
    """An ARN of a template in cdk-nag's notation: `<Uploads.Arn>/*`."""
    match value:
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(_in_cdk_nag, parts))
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Ref": name}:
            return f"<{name}>"
    return str(value)
