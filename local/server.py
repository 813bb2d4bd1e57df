"""MiniStack as a child process that is gone when we are."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.error import URLError

PROJECT = Path(__file__).parents[1]
START_TIMEOUT = 60  # seconds


@dataclass(frozen=True)
class LocalAws:
    """A running MiniStack."""

    endpoint: str
    run_dir: Path
    """Everything that the run writes, below the project; removed at its end."""
    process: "subprocess.Popen[bytes]"

    @property
    def exports(self) -> dict[str, str]:
        """What a shell, a CDK CLI or a boto3 session needs to talk to it, and to nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",  # noqa: S105 - MiniStack's own, not a secret
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a child process: ours, without the user's own AWS account."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **self.exports,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
            "PATH": os.pathsep.join(
                [str(Path(sys.executable).parent), str(PROJECT / "node_modules/.bin"), os.environ["PATH"]]
            ),
            "TMPDIR": str(self.run_dir),
        }


@contextmanager
def local_aws() -> Iterator[LocalAws]:
    """Run MiniStack on a free port of 127.0.0.1; it, its functions and its files go with the block.

    Raises RuntimeError with the server's last words if it does not start.
    """
    scratch = PROJECT / ".local"
    scratch.mkdir(exist_ok=True)
    run_dir = Path(tempfile.mkdtemp(prefix="run-", dir=scratch))
    port = _free_port()
    settings = {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "IOT_MTLS_ENABLED": "0",  # it would listen on every interface
        "SFTP_ENABLED": "0",
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.2",  # AWS waits one and two minutes
        "TMPDIR": str(run_dir),
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | settings
    log = run_dir / "ministack.log"
    try:
        with log.open("wb") as output, _child([sys.executable, "-m", "ministack"], output, environment) as process:
            endpoint = f"http://127.0.0.1:{port}"
            _wait_until_healthy(endpoint, process, log)
            yield LocalAws(endpoint, run_dir, process)
    finally:
        shutil.rmtree(run_dir, ignore_errors=True)


def run(command: list[str], environment: Mapping[str, str]) -> None:
    """Run a command of the project to its end; raises RuntimeError with its output if it fails."""
    log = Path(environment["TMPDIR"]) / "command.log"
    with log.open("wb") as output, _child(command, output, environment) as process:
        code = process.wait()
    if code:
        raise RuntimeError(f"{' '.join(command)} failed with exit code {code}:\n{log.read_text(errors='replace')}")


@contextmanager
def _child(
    command: list[str], output: IO[bytes], environment: Mapping[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process in a group of its own, which is ended with the block, however the block is left."""
    process = subprocess.Popen(  # noqa: S603
        command,
        cwd=PROJECT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        # The group, not only the process: MiniStack's functions and the CDK's node are children of children.
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, sign)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_healthy(endpoint: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(URLError, OSError), urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=5):  # noqa: S310
            return
        time.sleep(0.05)
    raise RuntimeError(f"MiniStack did not start on {endpoint}:\n{log.read_text(errors='replace')[-2000:]}")
