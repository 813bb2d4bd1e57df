"""What the function of a PostgreSQL feed may do, and where it runs, so that it reaches the database."""

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from csv_ingest.feed import Feed

from .practices import acknowledge, allow, allow_key, wildcard_resource

# The managed policy AWSLambdaVPCAccessExecutionRole has these, and more:
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
_NETWORK_ACTIONS = (
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
)
"""What Lambda does in the role of a function in a VPC."""


def join_network(scope: Construct, function: lambda_.Function, role: iam.Role, feed: Feed) -> None:
    """Run a function in the subnets of its feed. Their ids are enough: the VPC is not looked up."""
    resource = function.node.default_child
    assert isinstance(resource, lambda_.CfnFunction)  # noqa: S101  for mypy; the next line would fail anyway
    resource.vpc_config = lambda_.CfnFunction.VpcConfigProperty(
        subnet_ids=list(feed.subnets), security_group_ids=list(feed.security_groups)
    )
    # A policy of its own, so that the acknowledgement holds for these actions and for no others of the role.
    interfaces = iam.Policy(scope, "NetworkInterfaces", statements=[allow("*", *_NETWORK_ACTIONS)], roles=[role])
    acknowledge(
        interfaces,
        "Lambda creates the network interfaces of the function in its role, and nobody knows their names before. The "
        "same actions are denied to the function's own code.",
        wildcard_resource(interfaces, "*"),
    )
    function.node.add_dependency(interfaces)


def deny_network(function: lambda_.Function) -> iam.PolicyStatement:
    """Deny the function's own code what only Lambda does in the function's role."""
    return iam.PolicyStatement(
        effect=iam.Effect.DENY,
        actions=list(_NETWORK_ACTIONS),
        resources=["*"],
        # With or without its version: AWS's documentation does not say which it is.
        conditions={"ArnLike": {"lambda:SourceFunctionArn": [function.function_arn, f"{function.function_arn}:*"]}},
    )


def login(scope: Construct, feed: Feed, key: kms.IKey | None) -> list[iam.PolicyStatement]:
    """Allow the one way in which the function of a feed logs in: by IAM as one user, or with one secret."""
    if feed.database_secret:
        return [
            allow(feed.database_secret, "secretsmanager:GetSecretValue"),
            *allow_key(key, "secretsmanager", "kms:Decrypt"),
        ]
    user = Stack.of(scope).format_arn(
        service="rds-db",
        resource="dbuser",
        resource_name=f"{feed.database_resource_id}/{feed.database_user}",
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )
    return [allow(user, "rds-db:connect")]
