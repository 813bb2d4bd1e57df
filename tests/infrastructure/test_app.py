"""The CDK application as a process, and the package it deploys."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from stacks.bundling import SOURCE, bundle
from stacks.package import main as package_command
from tests.infrastructure import snapshot
from tests.infrastructure.application import synth


def test_the_app_synthesizes_without_account_or_network(tmp_path: Path) -> None:
    done = synth(tmp_path, stage="prod")
    assert done.returncode == 0, done.stderr
    template = json.loads((tmp_path / "CsvIngest-prod.template.json").read_text())
    assert "UploadBucketName" in template["Outputs"]
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert "missing" not in manifest, "a context lookup was asked for"


def test_the_templates_are_those_that_were_reviewed() -> None:
    """If the difference is intended: `make snapshot`, and commit it."""
    for path, text in snapshot.current().items():
        assert text == path.read_text()


def test_an_invalid_setting_ends_synthesis_with_one_line(tmp_path: Path) -> None:
    done = synth(tmp_path, timeout_seconds="1")
    assert done.returncode == 1
    assert done.stderr == ("csv-ingest: setting timeout_seconds='1': allowed is a whole number from 10 to 900\n")


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("package")
    bundle(SOURCE, target)
    return target


def test_the_package_is_the_same_on_every_run(package: Path, tmp_path: Path) -> None:
    bundle(SOURCE, tmp_path)
    assert files_below(tmp_path) == files_below(package)


def test_the_package_is_lean(package: Path) -> None:
    contents = files_below(package)
    tops = {name.partition("/")[0].partition("-")[0].removesuffix(".py") for name in contents}
    powertools = {"aws_lambda_powertools", "jmespath", "typing_extensions"}
    pg8000 = {"pg8000", "scramp", "asn1crypto", "dateutil", "python_dateutil", "six"}
    assert tops == {"csv_ingest", "tzdata"} | powertools | pg8000
    assert not [name for name in contents if name.endswith((".so", ".pyc"))]
    assert sum(map(len, contents.values())) < 6_500_000


def test_the_package_alone_can_import_the_handler(package: Path) -> None:
    """As Lambda does, with the package, the runtime's boto3 and no environment variables of the function."""
    runtime = """if True:
        import sys
        sys.path.insert(0, sys.argv[1])
        import aws_lambda_powertools, csv_ingest.handler
        print(aws_lambda_powertools.__file__, csv_ingest.handler.__file__)
    """
    done = subprocess.run(
        [sys.executable, "-c", runtime, str(package)],
        cwd=package,
        env={"POWERTOOLS_SERVICE_NAME": "CsvIngest"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == [
        str(package / "aws_lambda_powertools" / "__init__.py"),
        str(package / "csv_ingest" / "handler.py"),
    ], done.stderr


@pytest.mark.parametrize("names", [["csv_ingest"], ["csv_ingest", "aws_lambda_powertools", "pip"], ["mine"]])
def test_a_package_replaces_nothing_but_a_package(names: list[str], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).mkdir()
    done = CliRunner().invoke(package_command, [str(tmp_path)])
    assert done.exit_code == 2
    assert "holds something else than a package of the function" in done.output
    assert {path.name for path in tmp_path.iterdir()} == set(names)


def test_a_missing_requirement_raises_pips_message(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("aws-lambda-powertools==0.0.0 --hash=sha256:" + "0" * 64)
    with pytest.raises(RuntimeError, match="No matching distribution found"):
        bundle(tmp_path, tmp_path / "out")
