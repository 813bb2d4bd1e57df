"""Says that a long step goes on: on a terminal in one line that counts the seconds, elsewhere in a line every ten.

`python ops/progress.py WHAT COMMAND...` runs a command this way, and shows what it printed only if it fails. Nothing
is imported but the standard library, because make installs the other libraries with it.
"""

import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY = 10.0  # seconds, where there is no terminal
KEPT = 60  # lines of a failed command
WIDTH = 80  # columns of a terminal that does not know its width

ERASE = "\r\x1b[K"  # erases a terminal's line


@contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """Say on standard error what is going on, and for how long, until the block ends.

    The function that is yielded takes what to add, such as "3 of 8"; it is shown with the next line.
    """
    details = [""]
    ended = threading.Event()
    teller = threading.Thread(target=_tell, args=(what, details, ended), daemon=True)
    teller.start()
    try:
        yield lambda detail: details.__setitem__(0, detail)
    finally:
        ended.set()
        teller.join()


def run(what: str, command: list[str]) -> int:
    """Run a command, showing the last line that it printed; returns its exit code.

    If the command fails, the end of what it printed goes to standard error.
    """
    last: deque[str] = deque(maxlen=KEPT)
    with (
        working(what) as show,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process,
    ):
        for line in process.stdout or ():
            last.append(line)
            show(line.strip())
    if process.returncode:
        sys.stderr.writelines([*last, f"{what}: failed with exit code {process.returncode}: {' '.join(command)}\n"])
    return process.returncode


def _tell(what: str, details: list[str], ended: threading.Event) -> None:
    terminal = sys.stderr.isatty()
    began = time.monotonic()
    _print(f"{what} ...", again=terminal)
    while not ended.wait(1.0 if terminal else EVERY):
        detail = details[0] and f": {details[0]}"
        _print(f"{what} ... {time.monotonic() - began:.0f} s{detail}", again=terminal)
    if terminal:
        _print("", again=True)


def _print(line: str, *, again: bool) -> None:
    """Print a line; if `again`, on a terminal in the place of the line before, and cut to the terminal's width."""
    sys.stderr.write(f"{ERASE}{line[: _columns() - 1]}" if again else f"{line}\n")
    sys.stderr.flush()


def _columns() -> int:
    """The width of the terminal that standard error is; standard output can be something else."""
    return os.get_terminal_size(sys.stderr.fileno()).columns or WIDTH


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2:]))
