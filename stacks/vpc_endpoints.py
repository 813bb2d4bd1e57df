"""The endpoints through which functions in a VPC without a NAT reach AWS."""

from typing import Any

from aws_cdk import Aws
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from stacks.settings import Settings


class VpcEndpoints(Construct):
    """What the functions of PostgreSQL feeds call: S3 and DynamoDB by routes, the others by interfaces.

    The interfaces are in the subnets of all these feeds, and admit their security groups only. The VPC is known by its
    id alone, and not looked up.
    """

    def __init__(self, scope: Construct, id_: str, *, vpc: str, settings: Settings) -> None:
        super().__init__(scope, id_)
        feeds = settings.postgresql_feeds
        # A dictionary, to have each once and in the order of the feeds.
        subnets = list(dict.fromkeys(subnet for feed in feeds for subnet in feed.subnets))
        callers = dict.fromkeys(group for feed in feeds for group in feed.security_groups)
        callees = ec2.CfnSecurityGroup(
            self,
            "SecurityGroup",
            group_description="Endpoints that the functions of PostgreSQL feeds call.",
            vpc_id=vpc,
            security_group_ingress=[
                ec2.CfnSecurityGroup.IngressProperty(
                    ip_protocol="tcp", from_port=443, to_port=443, source_security_group_id=group
                )
                for group in callers
            ],
        )
        for service in ("s3", "dynamodb"):
            self._endpoint(service, vpc, vpc_endpoint_type="Gateway", route_table_ids=list(settings.route_tables))
        secrets = ["secretsmanager"] if any(feed.database_secret for feed in feeds) else []
        for service in ("sqs", "lambda", *secrets):
            self._endpoint(
                service,
                vpc,
                vpc_endpoint_type="Interface",
                subnet_ids=subnets,
                security_group_ids=[callees.attr_group_id],
                private_dns_enabled=True,
            )

    def _endpoint(self, service: str, vpc: str, **properties: Any) -> None:
        ec2.CfnVPCEndpoint(
            self,
            service.capitalize(),
            service_name=f"com.amazonaws.{Aws.REGION}.{service}",
            vpc_id=vpc,
            **properties,
        )
