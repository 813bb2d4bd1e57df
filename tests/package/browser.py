"""A headless Chromium, driven through a pipe: it opens a local file, and says how it looks."""

import base64
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from threading import Timer
from typing import Any, BinaryIO

from local.processes import PROJECT

SECONDS = 180
"""That a browser has for all that it is asked."""

ON_PATH = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGE = PROJECT / "node_modules" / "@sparticuz" / "chromium"

# Into the folder TMPDIR, with the libraries that the package has for a machine without them.
UNPACK = """
import chromium, {inflate} from "@sparticuz/chromium";
await inflate("node_modules/@sparticuz/chromium/bin/al2023.tar.br");
console.log(await chromium.executablePath());
"""

# A text without a font has no width: the package brings one for a machine without fonts.
FONTS = """<?xml version="1.0"?>
<fontconfig>
  <dir>{folder}/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>{folder}/font-cache</cachedir>
</fontconfig>
"""

# Without the sandbox, which root cannot have in a container: nothing is opened but a file of the test.
ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe")


# The browser reads its file 3, and writes to its file 4.
BECOME = """
import os, sys
for wanted, given in enumerate(sys.argv[1:3], start=3):
    os.dup2(int(given), wanted)
os.execv(sys.argv[3], sys.argv[3:])
"""


class NoBrowser(Exception):
    """No Chromium is on this machine, or in node_modules. The message says what to do."""


class Page:
    """One page, by Chrome's DevTools protocol: https://chromedevtools.github.io/devtools-protocol/."""

    def __init__(self, requests: BinaryIO, answers: BufferedReader) -> None:
        self._requests, self._answers = requests, answers
        self._number, self._session, self._rest = 0, "", b""
        self.events: list[dict[str, Any]] = []
        """What the browser told of by itself."""

    def open(self, file: Path) -> None:
        """Open a file, and wait until it is loaded."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log"):
            self.send(f"{domain}.enable")
        self.send("Page.navigate", url=file.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self._read())

    def show(self, width: int, *, height: int = 844, dark: bool = False, media: str = "") -> None:
        """Have a screen of a width in CSS pixels, light or dark, or paper."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def picture(self) -> bytes:
        """The whole page, as PNG."""
        return base64.b64decode(self.send("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command; returns its result."""
        self._number += 1
        session = {"sessionId": self._session} if self._session else {}
        message = {"id": self._number, "method": method, "params": params, **session}
        self._requests.write(json.dumps(message).encode() + b"\0")
        self._requests.flush()
        while (answer := self._read()).get("id") != self._number:
            self.events.append(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def _read(self) -> dict[str, Any]:
        """The next message, which ends with a zero byte."""
        while b"\0" not in self._rest:
            piece = self._answers.read1(1 << 16)
            assert piece, "the browser has ended"
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        read: dict[str, Any] = json.loads(message)
        return read


@contextmanager
def opened(file: Path, folder: Path) -> Iterator[Page]:
    """A page of a browser of its own, which ends with the block. Raises NoBrowser."""
    command, environment = _browser(folder)
    from_us, to_browser = os.pipe()
    from_browser, to_us = os.pipe()
    words = [sys.executable, "-c", BECOME, str(from_us), str(to_us), command, *ARGUMENTS]
    with (
        (folder / "browser.log").open("wb") as log,
        os.fdopen(to_browser, "wb") as requests,
        os.fdopen(from_browser, "rb") as answers,
        subprocess.Popen(
            [*words, f"--user-data-dir={folder / 'profile'}"], pass_fds=(from_us, to_us), env=environment, stderr=log
        ) as process,
    ):
        os.close(from_us)
        os.close(to_us)
        # A browser that hangs would have the tests wait for its answer for ever.
        ending = Timer(SECONDS, process.kill)
        ending.start()
        try:
            page = Page(requests, answers)
            page.open(file)
            yield page
        finally:
            ending.cancel()
            process.kill()


def _browser(folder: Path) -> tuple[str, dict[str, str]]:
    """The browser on PATH, or that of the npm package, unpacked into a folder; and its environment."""
    environment = {**os.environ, "HOME": str(folder), "TMPDIR": str(folder)}
    if found := next(filter(None, map(shutil.which, ON_PATH)), None):
        return found, environment
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise NoBrowser("there is no chromium on PATH, and that of the npm package runs on Linux x64 only")
    if not PACKAGE.exists() or not (node := shutil.which("node")):
        raise NoBrowser("there is no chromium on PATH, and none in node_modules: `make setup` installs one")
    unpack = [node, "--input-type=module", "--eval", UNPACK]
    done = subprocess.run(unpack, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True)
    fonts = folder / "fonts.conf"
    fonts.write_text(FONTS.format(folder=folder))
    libraries = {"LD_LIBRARY_PATH": str(folder / "al2023" / "lib"), "FONTCONFIG_FILE": str(fonts)}
    return done.stdout.strip(), environment | libraries
