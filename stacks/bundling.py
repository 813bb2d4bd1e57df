"""Builds the deployed package, the function's source and its pinned requirements, without Docker."""

import filecmp
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import jsii
from aws_cdk import AssetHashType, BundlingOptions, DockerImage, ILocalBundling
from aws_cdk import aws_lambda as lambda_
from constructs import IConstruct

import csv_ingest

SOURCE = Path(csv_ingest.__file__).parent
"""Of the function, with its requirements.txt: in this checkout, or where the wheel is installed."""
RUNTIME = lambda_.Runtime.PYTHON_3_13
PLATFORM = "manylinux2014_aarch64"
PACKAGE = "csv-ingest:package"
"""The context key of a package that was built before."""


class OtherPackage(ValueError):
    """A folder does not hold the package of this release. The message says how to build it."""


def function_code(scope: IConstruct) -> lambda_.Code:
    """The package of the function, with the same bytes for the same lock file on every machine.

    The asset's name is the hash of its content, so a package that has not changed is not deployed again. Raises
    OtherPackage if the context names a folder that does not hold it.
    """
    if built := scope.node.try_get_context(PACKAGE):
        _require_this_release(Path(built))
        return lambda_.Code.from_asset(str(built))
    return lambda_.Code.from_asset(
        str(SOURCE),
        asset_hash_type=AssetHashType.OUTPUT,
        bundling=BundlingOptions(image=DockerImage.from_registry("unused"), local=_PipBundling()),
    )


@jsii.implements(ILocalBundling)
class _PipBundling:
    def try_bundle(self, output_dir: str, *, image: DockerImage, **_options: Any) -> bool:  # noqa: ARG002
        """Build the package in a directory. Raises if that fails, so that the CDK does not try the Docker image."""
        bundle(SOURCE, Path(output_dir))
        return True


def bundle(source: Path, target: Path) -> None:
    """Build the package for the function's Python on 64-bit ARM in `target`.

    Raises RuntimeError with pip's message if a requirement cannot be installed.
    """
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--require-hashes", "--requirement", str(source / "requirements.txt"), "--target", str(target)),
        *("--platform", PLATFORM, "--python-version", RUNTIME.name.removeprefix("python")),
        *("--only-binary", ":all:", "--no-compile"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"the function's package could not be built: {' '.join(command)}\n{done.stderr}"
            f"Without pip or a network, name a package that was built before: -c {PACKAGE}=FOLDER (docs/own-app.md)"
        )
    # Launchers name the Python of this machine, and RECORD has their hashes: the package would differ by machine.
    shutil.rmtree(target / "bin", ignore_errors=True)
    for record in target.glob("*.dist-info/RECORD"):
        record.unlink()
    shutil.copytree(source, target / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    # Lambda runs as another user, who must be able to read the files even if this machine's umask is strict.
    for path in target.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


@cache
def _require_this_release(built: Path) -> None:
    """Refuse a package of other code or other requirements than the infrastructure has, which would not fit it.

    Once per synthesis, and not per function.
    """
    there, here = built / SOURCE.name, [path for path in SOURCE.rglob("*") if "__pycache__" not in path.parts]
    names = [str(path.relative_to(SOURCE)) for path in here if path.is_file()]
    _, other, missing = filecmp.cmpfiles(SOURCE, there, names, shallow=False)
    if other or missing:
        what = "there is no package of the function" if not there.is_dir() else "the function's package is another one"
        raise OtherPackage(f"{PACKAGE}={built}: {what}: build it by `python -m {__package__}.package {built}`")
