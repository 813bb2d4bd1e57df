"""Builds the deployed package, the function's source and its pinned requirements, without Docker."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsii
from aws_cdk import AssetHashType, BundlingOptions, DockerImage, ILocalBundling
from aws_cdk import aws_lambda as lambda_

PLATFORM = "manylinux2014_aarch64"


def function_code(root: Path, runtime: lambda_.Runtime) -> lambda_.Code:
    """The package of the function in `root`, with the same bytes for the same lock file on every machine.

    The asset's name is the hash of its content, so a package that has not changed is not deployed again.
    """
    return lambda_.Code.from_asset(
        str(root),
        asset_hash_type=AssetHashType.OUTPUT,
        bundling=BundlingOptions(image=DockerImage.from_registry("unused"), local=_PipBundling(root, runtime)),
    )


@jsii.implements(ILocalBundling)
class _PipBundling:
    def __init__(self, root: Path, runtime: lambda_.Runtime) -> None:
        self._root = root
        self._python = runtime.name.removeprefix("python")

    def try_bundle(self, output_dir: str, *, image: DockerImage, **_options: Any) -> bool:  # noqa: ARG002
        """Build the package in a directory. Raises if that fails, so that the CDK does not try the Docker image."""
        bundle(self._root, Path(output_dir), python=self._python)
        return True


def bundle(root: Path, target: Path, *, python: str) -> None:
    """Build the package for a Python version ("3.13") on 64-bit ARM in `target`.

    Raises RuntimeError with pip's message if a requirement cannot be installed.
    """
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--require-hashes", "--requirement", str(root / "requirements.txt"), "--target", str(target)),
        *("--platform", PLATFORM, "--python-version", python, "--only-binary", ":all:", "--no-compile"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"bundling {root} failed: {' '.join(command)}\n{done.stderr}")
    # Launchers name the Python of this machine, and RECORD has their hashes: the package would differ by machine.
    shutil.rmtree(target / "bin", ignore_errors=True)
    for record in target.glob("*.dist-info/RECORD"):
        record.unlink()
    shutil.copytree(root / "csv_ingest", target / "csv_ingest", ignore=shutil.ignore_patterns("__pycache__"))
    # Lambda runs as another user, who must be able to read the files even if this machine's umask is strict.
    for path in target.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
