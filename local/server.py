"""Runs MiniStack, AWS in one local process, as a child process that ends with its parent."""

import os
import shutil
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from local.processes import PROJECT, Process, child, free_port

START_TIMEOUT = 60  # seconds


@dataclass(frozen=True)
class LocalAws:
    """A running MiniStack."""

    endpoint: str
    process: Process
    run_dir: Path
    """The folder of everything that the run writes; deleted after the run."""
    exports: Mapping[str, str]
    """The environment variables with which a shell, the CDK CLI or boto3 reaches it."""


@contextmanager
def local_aws() -> Iterator[LocalAws]:
    """Run MiniStack on a free port of 127.0.0.1; inside the block, this process and its children reach no other AWS.

    The server, its functions and its files are gone after the block, however the block is left.
    Raises RuntimeError with the end of the server's log if the server does not start.
    """
    scratch = PROJECT / ".local"
    scratch.mkdir(exist_ok=True)
    run_dir = Path(tempfile.mkdtemp(prefix="run-", dir=scratch))
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    try:
        with aws_at(endpoint, run_dir) as exports:
            log = run_dir / "ministack.log"
            with child([sys.executable, "-m", "local.ministack"], log, ministack_settings(port, run_dir)) as process:
                _wait_until_healthy(endpoint, process, log)
                yield LocalAws(endpoint, process, run_dir, exports)
    finally:
        shutil.rmtree(run_dir, ignore_errors=True)


def ministack_settings(port: int, folder: Path) -> dict[str, str]:
    """The environment variables that MiniStack reads; what it keeps is in the folder."""
    return {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "IOT_MTLS_ENABLED": "0",  # otherwise it listens on every interface
        "SFTP_ENABLED": "0",
        "STATE_DIR": str(folder / "state"),
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.2",  # AWS waits one and two minutes
    }


@contextmanager
def environment_file(aws: LocalAws, file: Path) -> Iterator[None]:
    """A file for other shells to source, which reach the server then, and no other AWS; deleted after the block."""
    text = "\n".join(["unset AWS_PROFILE AWS_SESSION_TOKEN", *(f"export {n}={v}" for n, v in aws.exports.items())])
    file.write_text(f"{text}\n")
    try:
        yield
    finally:
        # Unless another server was started meanwhile, whose file it is now.
        if file.exists() and aws.endpoint in file.read_text():
            file.unlink()


@contextmanager
def aws_at(endpoint: str, run_dir: Path) -> Iterator[Mapping[str, str]]:
    """Have the environment lead to this AWS and no other, and this project's tools first in the PATH.

    Everything about AWS is replaced, and restored after the block. Returns the variables that lead there.
    """
    exports = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    before = dict(os.environ)
    for name in before:
        if name.startswith("AWS_"):
            del os.environ[name]
    tools = [str(Path(sys.executable).parent), str(PROJECT / "node_modules" / ".bin"), before.get("PATH", "")]
    os.environ.update(
        exports,
        AWS_EC2_METADATA_DISABLED="true",
        CDK_DISABLE_CLI_TELEMETRY="true",
        JSII_RUNTIME_PACKAGE_CACHE_ROOT=str(PROJECT / ".cache" / "jsii"),  # 200 MB, or each run would write them again
        HOME=str(run_dir),  # without ~/.aws; what the CDK writes to ~/.cdk is deleted with the run
        NO_PROXY="127.0.0.1",
        PATH=os.pathsep.join(tools),
        TMPDIR=str(run_dir),
    )
    try:
        yield exports
    finally:
        os.environ.clear()
        os.environ.update(before)


def _wait_until_healthy(endpoint: str, process: Process, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=5):  # noqa: S310
            return
        time.sleep(0.05)
    raise RuntimeError(f"MiniStack did not start on {endpoint}:\n{log.read_text(errors='replace')[-2000:]}")
