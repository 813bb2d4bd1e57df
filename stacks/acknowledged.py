"""Findings of the policy checks that were looked at and accepted, each where it arises and with the reason."""

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct

from stacks.gates.intrinsics import as_text


def acknowledge(construct: IConstruct, reason: str, *rules: str) -> None:
    """Accept that the resource of a construct breaks some rules.

    A rule is `gates::RULE`, `AwsSolutions::AwsSolutions-RULE` or `Serverless::Serverless-RULE`, as `cdk synth` writes
    it. The reason is in the template, in the resource's metadata, and in the CDK's validation report.
    """
    # Not the construct: what is below it, such as its policy, would break the rules unseen.
    resource = construct.node.default_child or construct
    Validations.of(resource).acknowledge(*(Acknowledgment(id=rule, reason=reason) for rule in rules))


def wildcard_resource(construct: IConstruct, arn: str) -> str:
    """The rule of cdk-nag against an ARN with an asterisk, which it names in its own notation."""
    resolved = as_text(Stack.of(construct).resolve(arn)).replace("${", "<").replace("}", ">")
    return f"AwsSolutions::AwsSolutions-IAM5[Resource::{resolved}]"
