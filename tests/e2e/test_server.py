"""The local AWS leaves nothing behind, and the operator's commands say when it is not there."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from local.processes import PROJECT
from local.server import LocalAws, environment_file

HOLD = """if True:
    import local.server, signal

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    with local.server.local_aws() as aws:
        print(aws.process.pid, aws.run_dir, flush=True)
        signal.pause()
"""


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_server_ends_with_its_parent(sign: signal.Signals) -> None:
    command = [sys.executable, "-c", HOLD]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        pid, run_dir = holder.stdout.readline().split(maxsplit=1)
        server = psutil.Process(int(pid))
        assert server.is_running()
        holder.send_signal(sign)
        try:
            assert holder.wait(timeout=20) != 0
        finally:
            holder.kill()  # the end of the block would wait for ever
    server.wait(timeout=20)
    # Its files go with the block; a process that is killed has no time for them.
    assert sign != signal.SIGINT or not Path(run_dir.strip()).exists()
    shutil.rmtree(run_dir.strip(), ignore_errors=True)


def test_another_shell_reaches_the_server_and_no_other(aws: LocalAws, tmp_path: Path) -> None:
    file = tmp_path / "environment"
    with environment_file(aws, file):
        done = subprocess.run(
            ["/bin/sh", "-c", f". {file}; env"],
            env={"AWS_PROFILE": "work", "AWS_SESSION_TOKEN": "x"},
            capture_output=True,
            text=True,
            check=True,
        )
        found = dict(line.partition("=")[::2] for line in done.stdout.splitlines() if line.startswith("AWS_"))
        assert found == aws.exports
    assert not file.exists()
    with environment_file(aws, file):
        file.write_text("of another server")
    assert file.exists()


KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
REGION = {"AWS_DEFAULT_REGION": "us-east-1"}
ADVICE = (
    "For AWS, set credentials and AWS_DEFAULT_REGION; for the local AWS, run `make local`, then `source "
    ".local/environment`."
)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {**KEYS, **REGION, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
            "no local AWS answers at http://127.0.0.1:9: has `make local` ended?",
        ),
        (REGION, f"Unable to locate credentials. {ADVICE}"),
        (KEYS, f"You must specify a region. {ADVICE}"),
    ],
    ids=["ended", "no credentials", "no region"],
)
def test_a_missing_aws_is_explained(settings: dict[str, str], message: str, tmp_path: Path) -> None:
    alone = {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "ops", "status"],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"]} | alone | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, f"Error: {message}\n")
