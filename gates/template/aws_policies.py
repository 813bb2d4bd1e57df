"""What the managed policies that AWS maintains allow, as far as a rule needs it."""

from collections.abc import Mapping
from typing import NamedTuple


class Allowed(NamedTuple):
    """The actions and the resources that a managed policy allows."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]


# https://docs.aws.amazon.com/aws-managed-policy/latest/reference/
_BY_NAME: Mapping[str, Allowed] = {
    "AdministratorAccess": Allowed(("*",), ("*",)),
    "PowerUserAccess": Allowed(("*",), ("*",)),
    "AmazonS3FullAccess": Allowed(("s3:*", "s3-object-lambda:*"), ("*",)),
    "AmazonS3ReadOnlyAccess": Allowed(("s3:Get*", "s3:List*", "s3:Describe*"), ("*",)),
    "AmazonDynamoDBFullAccess": Allowed(("dynamodb:*",), ("*",)),
    "AmazonSQSFullAccess": Allowed(("sqs:*",), ("*",)),
    "AmazonSNSFullAccess": Allowed(("sns:*",), ("*",)),
    "CloudWatchFullAccess": Allowed(("cloudwatch:*", "logs:*", "sns:*"), ("*",)),
    "CloudWatchLogsFullAccess": Allowed(("logs:*",), ("*",)),
    "AWSLambda_FullAccess": Allowed(("lambda:*",), ("*",)),
    "AWSLambdaExecute": Allowed(("logs:*", "s3:GetObject", "s3:PutObject"), ("arn:aws:s3:::*",)),
    "AmazonDynamoDBFullAccess_v2": Allowed(("dynamodb:*",), ("*",)),
    "AmazonDynamoDBReadOnlyAccess": Allowed(
        ("dynamodb:Get*", "dynamodb:List*", "dynamodb:Query", "dynamodb:Scan"), ("*",)
    ),
    "ReadOnlyAccess": Allowed(("s3:Get*", "s3:List*", "dynamodb:Get*", "dynamodb:Query", "sqs:Get*"), ("*",)),
    "AWSLambdaSQSQueueExecutionRole": Allowed(
        ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"), ("*",)
    ),
}


def allowed_by(arn: str) -> Allowed | None:
    """What a managed policy allows; None for a policy that AWS does not maintain, or that is not in the table.

    An unknown policy named `...FullAccess` is one wildcard for the actions of its service.
    """
    if ":" in arn and ":iam::aws:policy/" not in arn:
        return None
    name = arn.rpartition("/")[2]
    if name not in _BY_NAME and name.endswith("FullAccess"):
        return Allowed((f"{name}: all actions of its service, *",), ())
    return _BY_NAME.get(name)
