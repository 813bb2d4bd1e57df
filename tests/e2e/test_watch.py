"""`status --watch` on a real terminal, on the deployed stack."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from local.deployment import Deployment
from local.processes import PROJECT
from local.waiting import wait_until, wait_until_settled
from tests.e2e.deployed import LARGE, SECONDS, upload

# A shell that runs the tests in the background has them ignore Ctrl-C; on the terminal, it counts.
ON_A_TERMINAL = """
import os, pty, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))
"""
CTRL_C = b"\x03"


class Terminal:
    """A command on a pseudo terminal of 80 columns and 24 lines: what is typed there, and what the screen gets."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.output = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        while piece := os.read(self.process.stdout.fileno(), 4096):
            self.output += piece

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.output.decode(errors="replace"), f"{text!r} is shown", seconds=SECONDS)

    def type(self, keys: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(keys)
        self.process.stdin.flush()

    def end(self) -> int:
        """Wait for the end of the command; returns its exit code."""
        code = self.process.wait(SECONDS)
        self._reader.join()
        return code


@contextmanager
def on_a_terminal(*arguments: str) -> Iterator[Terminal]:
    command = [sys.executable, "-c", ON_A_TERMINAL, sys.executable, "-m", "ops", *arguments]
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    with subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            yield Terminal(process)
        finally:
            # The command, too, which is a child of the terminal, and need not end with it.
            with suppress(psutil.NoSuchProcess):  # it has ended
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
            process.kill()


def test_a_watch_is_drawn_in_place_until_ctrl_c(deployment: Deployment) -> None:
    pipeline = deployment.pipeline
    alarms = pipeline.clients.cloudwatch.describe_alarms(ActionPrefix=pipeline.alarm_topic)["MetricAlarms"]
    [alarm] = [each["AlarmName"] for each in alarms if "SweepErrors" in each["AlarmName"]]
    with on_a_terminal("status", "--watch", "--interval", "0.1") as terminal:
        terminal.wait_for("failure queue: ")
        version = upload(deployment, "watched/large.csv", LARGE.replace(b"ORDER", b"WATCH"))
        terminal.wait_for("watched/large.csv")
        terminal.wait_for(" parts done, ")
        pipeline.clients.cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="test")
        terminal.wait_for("SweepErrors: The sweep failed. See SweepErrors in docs/runbook.md.")
        wait_until_settled(pipeline, version, seconds=SECONDS)
        terminal.type(CTRL_C)
        assert terminal.end() == 1
    pipeline.clients.cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="test")
    assert b"\x1b[1A\x1b[2K" in terminal.output, "the lines of the look before are erased"
    assert b"Traceback" not in terminal.output
    assert terminal.output.endswith(b"\x1b[?25h"), "the cursor is shown again"
