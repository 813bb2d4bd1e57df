"""Accepts findings of the policy checks, each where it arises and with the reason."""

from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct


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
