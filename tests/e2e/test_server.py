"""The local AWS leaves nothing behind."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from local.server import PROJECT

HOLD = """if True:
    import local.server, signal

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
        assert holder.wait(timeout=20) != 0
    server.wait(timeout=20)
    # Its files go with the block; a process that is killed has no time for them.
    assert sign != signal.SIGINT or not Path(run_dir.strip()).exists()
    shutil.rmtree(run_dir.strip(), ignore_errors=True)
