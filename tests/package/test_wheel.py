"""The wheel as somebody else has it: in an environment and a folder of its own, without this checkout."""

import filecmp
import json
import os
import re
import shutil
import subprocess
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from csv_ingest import RELEASE
from local.processes import PROJECT
from local.server import LocalAws
from local.waiting import wait_until
from tests.infrastructure.application import NOWHERE

EXAMPLE = PROJECT / "examples" / "own_app"
ORDERS = "order_id,article,price\nA-1,Löffel,0.75\nA-2,Gabel,1.50\nA-3,Topf,dear\n"
STOCK = "sku,quantity\nS-1,5\n"
CHECKOUT = [str(path) for path in (PROJECT, PROJECT / "lambda", PROJECT / ".venv")]


@dataclass(frozen=True)
class Other:
    """Somebody else's folder and environment."""

    folder: Path
    bin: Path

    def run(self, *command: str, code: int = 0, **variables: str) -> str:
        """Run a command there, with what the environment has first in the PATH; returns what it printed."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
        tools = [str(self.bin), str(PROJECT / "node_modules" / ".bin"), kept["PATH"]]
        environment = {**kept, "PATH": os.pathsep.join(tools), **variables}
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel() -> Path:
    """What `make package` made."""
    [found] = (PROJECT / "dist").glob("csv_ingest-*.whl")
    assert RELEASE in found.name, "make package"
    return found


@pytest.fixture(scope="module")
def other(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Other:
    """The example, and an environment with the wheel; other packages have the versions that the project has locked."""
    root = tmp_path_factory.mktemp("other")
    shutil.copytree(EXAMPLE, root / "app")
    venv.create(root / "venv", with_pip=True)
    locked = re.findall(r"^[\w-]+==[^\\\n]+", (PROJECT / "requirements-dev.txt").read_text(), flags=re.MULTILINE)
    (root / "locked.txt").write_text("\n".join(locked))
    found = Other(root / "app", root / "venv" / "bin")
    pip = (str(found.bin / "python"), "-m", "pip", "install", "--quiet", "--constraint", str(root / "locked.txt"))
    found.run(*pip, f"{wheel}[gates]", "mypy")
    return found


def test_the_command_line_needs_no_checkout(other: Other) -> None:
    assert other.run("csv-ingest", "--version") == f"csv-ingest {RELEASE}\n"
    assert "Operate a deployed pipeline" in other.run("csv-ingest", "--help")
    checked = other.run("csv-ingest", "check", "--help")
    assert "Example: csv-ingest check" in checked
    paths = other.run("python", "-c", "import sys, csv_ingest_ops as ops; print(sys.path, ops.__file__)")
    assert not [each for each in CHECKOUT if each in paths]


@pytest.mark.parametrize(
    ("package", "folder"),
    [
        ("csv_ingest", "lambda/csv_ingest"),
        ("csv_ingest_cdk", "stacks"),
        ("csv_ingest_gates", "gates"),
        ("csv_ingest_ops", "ops"),
    ],
)
def test_the_wheel_has_each_file_of_a_folder(other: Other, package: str, folder: str) -> None:
    [installed] = other.bin.parent.glob(f"lib/python*/site-packages/{package}")
    compared = filecmp.dircmp(installed, PROJECT / folder, ignore=["__pycache__", "tests", "README.md"])
    assert _differences(compared) == []


def _differences(compared: filecmp.dircmp[str]) -> list[str]:
    found = [*compared.left_only, *compared.right_only, *compared.diff_files, *compared.funny_files]
    return found + [name for below in compared.subdirs.values() for name in _differences(below)]


def test_its_types_are_those_that_callers_check(other: Other) -> None:
    (other.folder / "mypy.ini").write_text("[mypy]\nstrict = true\n[mypy-aws_cdk.*]\nfollow_imports = skip\n")
    feed = "from csv_ingest_cdk import Feed, FileFormat\nFeed(key_prefix={}, format=FileFormat(columns={}))\n"
    for given, said in (("'in/', {'price': 'decimal'}", "Success"), ("7, 'price'", "Found 2 errors")):
        prefix, columns = given.split(", ", 1)
        (other.folder / "feed.py").write_text(feed.format(prefix, columns))
        assert said in other.run("mypy", "feed.py", code=0 if said == "Success" else 1)


@pytest.mark.parametrize("forge", ["github", "gitlab"])
def test_the_workflow_synthesizes_in_an_empty_folder(other: Other, wheel: Path, forge: str, tmp_path: Path) -> None:
    """Its commands, in a copy of the example, in an environment that has nothing."""
    shutil.copytree(EXAMPLE, tmp_path / "app")
    venv.create(tmp_path / "venv", with_pip=True)
    fresh = Other(tmp_path / "app", tmp_path / "venv" / "bin")
    constraint = str(other.folder.parent / "locked.txt")
    shutil.copy(wheel, fresh.folder)
    for command in _commands(forge):
        fresh.run("sh", "-e", "-c", command, PIP_CONSTRAINT=constraint)
    assert (fresh.folder / "cdk.out" / "Shop.template.json").exists()


def _commands(forge: str) -> list[str]:
    if forge == "gitlab":
        commands: list[str] = yaml.safe_load((EXAMPLE / ".gitlab-ci.yml").read_text())["synth"]["script"]
        return commands
    workflow = yaml.safe_load((EXAMPLE / ".github" / "workflows" / "synth.yml").read_text())
    return [step["run"] for step in workflow["jobs"]["synth"]["steps"] if "run" in step]


class TestAPackageBuiltBefore:
    OFFLINE: Mapping[str, Any] = {"HTTP_PROXY": NOWHERE, "HTTPS_PROXY": NOWHERE, "PIP_INDEX_URL": NOWHERE}
    SYNTH = ("cdk", "--no-notices", "synth", "--quiet")

    def test_needs_no_network_at_synthesis(self, other: Other) -> None:
        built = other.run("python", "-m", "csv_ingest_cdk.package", "build/function")
        assert built == "Built: cdk synth -c csv-ingest:package=build/function\n"
        refused = other.run(*self.SYNTH, code=1, **self.OFFLINE)
        assert "name a package that was built before: -c csv-ingest:package=FOLDER" in refused
        other.run(*self.SYNTH, "-c", "csv-ingest:package=build/function", **self.OFFLINE)

    def test_is_refused_if_its_code_differs(self, other: Other) -> None:
        shutil.copytree(other.folder / "build" / "function", other.folder / "build" / "old")
        (other.folder / "build" / "old" / "csv_ingest" / "handler.py").write_text("")
        refused = other.run(*self.SYNTH, "-c", "csv-ingest:package=build/old", code=1)
        assert "build/old: the function's package is another one: build it by `python -m csv_ingest_cdk" in refused


@pytest.fixture(scope="module")
def outputs(other: Other, aws: LocalAws) -> dict[str, str]:
    cdk = ("cdk", "--no-notices", "--output", str(aws.run_dir / "cdk.other"))
    other.run(*cdk, "bootstrap", "aws://000000000000/us-east-1")
    file = other.folder / "outputs.json"
    built = ("-c", "csv-ingest:package=build/function")
    other.run(*cdk, "deploy", "--require-approval", "never", "--outputs-file", str(file), *built)
    found: dict[str, str] = json.loads(file.read_text())["Shop"]
    return found


class TestDeployed:
    """On a local AWS, by the CDK's command line; what follows is done by the wheel's."""

    def test_a_file_goes_its_whole_way(self, other: Other, outputs: dict[str, str]) -> None:
        (other.folder / "orders.csv").write_text(ORDERS)
        said = other.run("csv-ingest", "--stack", "Shop.Orders", "upload", "orders.csv", "--to", "orders/", code=1)
        assert "3 read" in said or "COMPLETE" in said

        def total() -> Any:
            table = boto3.resource("dynamodb").Table(outputs["TotalsTableName"])
            return table.get_item(Key={"file": "orders/orders.csv"}).get("Item")

        wait_until(lambda: total() is not None, "the consumer has written the total")
        assert total() == {"file": "orders/orders.csv", "orders": 2, "total": total()["total"]}
        assert str(total()["total"]) == "2.25"

    def test_the_second_pipeline_is_operated_by_its_name(self, other: Other, outputs: dict[str, str]) -> None:
        (other.folder / "stock.csv").write_text(STOCK)
        named = ("csv-ingest", "--stack", "Shop.Stock")
        other.run(*named, "upload", "stock.csv", "--to", "stock/")
        shown = other.run(*named, "rows", "stock/stock.csv")
        assert '"S-1"' in shown
        items = boto3.client("dynamodb").scan(TableName=outputs["StockRowsTableNameStock"])["Items"]
        assert [item["pk"]["S"] for item in items] == ["S-1"]

    @pytest.mark.usefixtures("outputs")
    def test_a_stack_with_two_asks_which(self, other: Other) -> None:
        said = other.run("csv-ingest", "--stack", "Shop", "status", code=1)
        assert "stack Shop has several pipelines: name one, Shop.Orders or Shop.Stock" in said

    @pytest.mark.usefixtures("outputs")
    def test_the_gates_check_its_template(self, other: Other, aws: LocalAws) -> None:
        template = str(aws.run_dir / "cdk.other" / "Shop.template.json")
        found = other.run("python", "-m", "csv_ingest_gates", template, code=1)
        assert "memory-explicit: Consumer" in found, "it is the example's, which has rules of its own"
        rules = other.run("python", "-c", "import csv_ingest_gates.cfn_lint as rules; print(rules.__path__[0])").strip()
        linted = other.run("cfn-lint", "--append-rules", rules, "-t", template, code=6)
        assert "E9100" in linted
