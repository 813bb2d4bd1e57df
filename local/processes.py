"""Child processes that end with this one, and everything that they start."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

PROJECT = Path(__file__).parents[1]

Process = subprocess.Popen[bytes]


@contextmanager
def child(command: list[str], log: Path, settings: Mapping[str, str]) -> Iterator[Process]:
    """A process in a process group of its own; the whole group ends with the block. Its output goes to the log."""
    with log.open("wb") as output:
        process = _start(command, output, settings)
        try:
            yield process
        finally:
            # The group, because MiniStack's functions and the CDK's node are children of children.
            for sign in (signal.SIGTERM, signal.SIGKILL):
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, sign)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=5)
            if process.stdin:
                process.stdin.close()


def run(command: list[str], *, log: Path) -> None:
    """Run a command of the project to its end; raises RuntimeError with its output if it fails."""
    with child(command, log, {}) as process:
        process.communicate()  # closes its standard input: nobody is asked anything
        code = process.returncode
    if code:
        raise RuntimeError(f"{' '.join(command)} failed with exit code {code}:\n{log.read_text(errors='replace')}")


def end_with_parent() -> None:
    """Have a child process end with its parent, also if the parent is killed: the standard input ends then.

    Its whole process group ends.
    """

    def wait() -> None:
        sys.stdin.read()
        os.killpg(0, signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(command: list[str], output: IO[bytes], settings: Mapping[str, str]) -> Process:
    return subprocess.Popen(
        command,
        cwd=PROJECT,
        env={**os.environ, **settings},
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
