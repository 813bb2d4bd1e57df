"""A PostgreSQL feed: its function in the VPC, and what it may do."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from csv_ingest.configuration import IngestConfig
from csv_ingest.model import Database
from local.processes import PROJECT
from stacks.context import settings_from_context
from tests.infrastructure.conftest import (
    FUNCTION,
    INGEST,
    KEY,
    POSTGRESQL,
    SECRET_ARN,
    SWEEP,
    TABLE,
    Synthesize,
    Synthesized,
    app_of,
    arn,
    ingest_permissions,
    permissions_of,
    titles,
    violations,
)
from tests.permissions import Permission
from tests.templates import readable, statements_of

POLICY = "AWS::IAM::Policy"

BY_PASSWORD: dict[str, Any] = {**POSTGRESQL, "database_resource_id": None, "database_secret": SECRET_ARN}

# https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSLambdaVPCAccessExecutionRole.html
NETWORK = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
}

FEEDS: dict[str, dict[str, Any]] = {
    "orders": {"key_prefix": "orders/"},
    "vendors": {**POSTGRESQL, "key_prefix": "vendors/"},
    "prices": {
        **BY_PASSWORD,
        "key_prefix": "prices/",
        "database_table": "prices",
        "subnets": ["subnet-0a1b2c3d4e5f60719", "subnet-0a1b2c3d4e5f6071a"],
        "security_groups": ["sg-0a1b2c3d4e5f60718", "sg-0a1b2c3d4e5f60719"],
    },
}


@pytest.fixture(scope="module")
def mixed() -> Synthesized:
    """One feed in DynamoDB, two in PostgreSQL."""
    return Synthesized(feeds=FEEDS)


def statements(stack: Synthesized, effect: str, role: str = f"{INGEST}Role") -> list[Any]:
    found = statements_of(role, readable(stack.template["Resources"]))
    return [statement for statement in found if statement["Effect"] == effect]


class TestFunction:
    @pytest.mark.parametrize(("login", "secret"), [(POSTGRESQL, ""), (BY_PASSWORD, SECRET_ARN)], ids=["IAM", "secret"])
    def test_is_told_its_database_and_table(self, synthesize: Synthesize, login: dict[str, Any], secret: str) -> None:
        variables = synthesize(**login).only(FUNCTION, INGEST)["Properties"]["Environment"]["Variables"]
        config = IngestConfig.from_environment(variables)
        host = "vendors.cluster-abcdefghijkl.eu-central-1.rds.amazonaws.com"
        assert config.rows_table == "vendors"
        assert config.feed.database == Database(host, 5432, "erp", "csv_ingest", secret, "")

    def test_of_dynamodb_is_told_no_database(self, mixed: Synthesized) -> None:
        variables = mixed.only(FUNCTION, "IngestOrders")["Properties"]["Environment"]["Variables"]
        assert "database" not in variables["FEED"]

    def test_says_where_the_rows_go(self, mixed: Synthesized) -> None:
        orders, vendors = (mixed.only(FUNCTION, f"Ingest{name}")["Properties"] for name in ("Orders", "Vendors"))
        assert orders["Description"] == "Writes every row of an uploaded CSV file to DynamoDB exactly once."
        assert vendors["Description"] == "Writes every row of an uploaded CSV file to PostgreSQL exactly once."

    def test_is_alone_in_the_vpc(self, mixed: Synthesized) -> None:
        networks = {id_: each["Properties"].get("VpcConfig") for id_, each in mixed.all(FUNCTION).items()}
        assert {id_: network for id_, network in networks.items() if network} == {
            mixed.id_of(FUNCTION, "IngestVendors"): {
                "SubnetIds": ["subnet-0a1b2c3d4e5f60718", "subnet-0a1b2c3d4e5f60719"],
                "SecurityGroupIds": ["sg-0a1b2c3d4e5f60718"],
            },
            mixed.id_of(FUNCTION, "IngestPrices"): {
                "SubnetIds": FEEDS["prices"]["subnets"],
                "SecurityGroupIds": FEEDS["prices"]["security_groups"],
            },
        }

    def test_is_created_after_lambda_may_join_the_vpc(self, postgresql: Synthesized) -> None:
        assert postgresql.id_of(POLICY, "NetworkInterfaces") in postgresql.only(FUNCTION, INGEST)["DependsOn"]


class TestPermissions:
    @pytest.mark.parametrize(
        ("login", "expected"),
        [
            (
                POSTGRESQL,
                Permission(
                    "rds-db:connect",
                    "arn:${AWS::Partition}:rds-db:${AWS::Region}:${AWS::AccountId}:dbuser:"
                    "cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ/csv_ingest",
                ),
            ),
            (BY_PASSWORD, Permission("secretsmanager:GetSecretValue", SECRET_ARN)),
        ],
        ids=["IAM", "secret"],
    )
    def test_are_exactly_these(self, synthesize: Synthesize, login: dict[str, Any], expected: Permission) -> None:
        stack = synthesize(**login)
        network = {Permission(action, "*") for action in NETWORK}
        assert permissions_of(stack, f"{INGEST}Role") == ingest_permissions(stack) | network | {expected}

    def test_of_the_network_are_denied_to_the_code(self, postgresql: Synthesized) -> None:
        [denied] = statements(postgresql, "Deny")
        assert set(denied["Action"]) == NETWORK
        assert denied["Resource"] == "*"
        function = readable(arn(postgresql.id_of(FUNCTION, INGEST)))
        assert denied["Condition"] == {"ArnLike": {"lambda:SourceFunctionArn": [function, f"{function}:*"]}}

    def test_of_other_functions_stay_as_they_were(self, mixed: Synthesized) -> None:
        for role in (f"{INGEST}OrdersRole", f"{SWEEP}Role"):
            found = [*statements(mixed, "Allow", role), *statements(mixed, "Deny", role)]
            assert not re.search("ec2:|rds-db:|secretsmanager:", str(found))

    def test_decrypt_the_secret_through_its_service_only(self, synthesize: Synthesize) -> None:
        found = statements(synthesize(**BY_PASSWORD, kms_key=KEY), "Allow")
        via = [each["Condition"]["StringEquals"]["kms:ViaService"] for each in found if each["Resource"] == KEY]
        assert "secretsmanager.${AWS::Region}.${AWS::URLSuffix}" in via
        without = [each for each in statements(synthesize(**POSTGRESQL, kms_key=KEY), "Allow") if "kms" in str(each)]
        assert without
        assert "secretsmanager" not in str(without)


class TestResources:
    def test_have_no_rows_table_in_dynamodb(self, postgresql: Synthesized) -> None:
        assert [id_.rstrip("0123456789ABCDEF") for id_ in postgresql.all(TABLE)] == ["StorageFiles"]

    def test_outputs_name_the_table_in_postgresql(self, mixed: Synthesized, postgresql: Synthesized) -> None:
        assert mixed.template["Outputs"]["RowsTableNamePrices"]["Value"] == "prices"
        assert mixed.template["Outputs"]["RowsTableNameOrders"]["Value"] == {"Ref": mixed.id_of(TABLE, "RowsOrders")}
        assert postgresql.template["Outputs"]["RowsTableName"]["Value"] == "vendors"

    def test_dashboard_shows_connections_instead_of_write_units(
        self, mixed: Synthesized, postgresql: Synthesized
    ) -> None:
        assert {"vendors: Connections that failed", "orders: Write capacity consumed"} <= {*titles(mixed)}
        assert not {"orders: Connections that failed", "vendors: Write capacity consumed"} & {*titles(mixed)}
        # A single feed has the ledger's write units beside its own.
        assert {"Connections that failed", "Write capacity consumed"} <= {*titles(postgresql)}


class TestGates:
    def test_accept_every_resource_in_two_policies_only(self, tmp_path: Path) -> None:
        assert violations(app_of(tmp_path, feeds=FEEDS)) == []
        resources = json.loads((tmp_path / "CsvIngest.template.json").read_text())["Resources"]
        accepted = {id_ for id_, each in resources.items() if "Resource::*" in json.dumps(each.get("Metadata"))}
        assert accepted == {id_ for id_ in resources if re.search("NetworkInterfaces|PeopleReader", id_)}


def test_the_documented_example_can_be_deployed() -> None:
    page = (PROJECT / "docs" / "postgresql.md").read_text()
    blocks = re.findall(r'^```\n("\w+": .*?)^```$', page, flags=re.DOTALL | re.MULTILINE)
    feeds, stages = (json.loads(f"{{{block}}}") for block in blocks)
    assert [feed.name for feed in settings_from_context(feeds).feeds if feed.is_postgresql] == ["vendors"]
    del feeds["feeds"]["vendors"]["database_host"]
    hosts = [
        feed.database_host
        for stage in ("dev", "prod")
        for feed in settings_from_context(feeds | stages | {"stage": stage}).feeds
    ]
    assert [host and host.partition(".")[0] for host in hosts] == ["dev", "prod"]
