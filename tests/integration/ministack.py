"""MiniStack's engines in this process: they are handed what botocore would send to their port.

The same code of MiniStack answers, without HTTP between two processes, which costs more than the engines do. The
end-to-end tests send their requests to a server.
"""

import asyncio
import importlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import URLLib3Session
from urllib3 import HTTPResponse

from local.server import aws_at, ministack_settings

PORT = 1
ENDPOINT = f"http://127.0.0.1:{PORT}"
"""Nobody listens there: a request that is not handed to the engines fails."""


@contextmanager
def engines(home: Path) -> Iterator[None]:
    """Inside the block, what this process sends to AWS is answered by engines of its own."""
    with aws_at(ENDPOINT, home), pytest.MonkeyPatch.context() as patch:
        # Read as MiniStack is imported, and by each of its services when that is first asked.
        for name, value in ministack_settings(PORT, home).items():
            patch.setenv(name, value)
        made = _Engines()
        send = URLLib3Session.send

        def hand_over(session: URLLib3Session, request: AWSPreparedRequest) -> AWSResponse:
            is_ours = request.url.startswith(ENDPOINT)
            return made.answer(request) if is_ours else send(session, request)  # others go to DYNAMODB_ENDPOINT

        patch.setattr(URLLib3Session, "send", hand_over)
        yield
        made.loop.close()


class _Engines:
    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._application = importlib.import_module("ministack.app").app
        self._lock = threading.Lock()

    def answer(self, request: AWSPreparedRequest) -> AWSResponse:
        """What a server would answer: one request after the other, because MiniStack relies on a single loop."""
        with self._lock:
            status, headers, body = self.loop.run_until_complete(self._ask(request))
        raw = HTTPResponse(BytesIO(body), headers, status, preload_content=False, request_method=request.method)
        answer = AWSResponse(request.url, status, raw.headers, raw)  # type: ignore[arg-type] # as botocore makes it
        if not request.stream_output:
            _ = answer.content  # as botocore does: it is read now
        return answer

    async def _ask(self, request: AWSPreparedRequest) -> tuple[int, dict[str, str], bytes]:
        """Ask in the words of ASGI: https://asgi.readthedocs.io/en/latest/specs/www.html."""
        url, body, told = urlsplit(request.url), _body_of(request), list[dict[str, Any]]()
        headers = {"host": url.netloc, "content-length": str(len(body))} | {
            name.lower(): value for name, value in request.headers.items()
        }
        scope = {
            "type": "http",
            "method": request.method,
            "scheme": url.scheme,
            "path": unquote(url.path),
            "raw_path": url.path.encode(),
            "query_string": url.query.encode(),
            "headers": [(name.encode(), _bytes(value)) for name, value in headers.items()],
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: dict[str, Any]) -> None:
            told.append(message)

        await self._application(scope, receive, send)
        start, *parts = told
        answered = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
        return start["status"], answered, b"".join(part["body"] for part in parts)


def _body_of(request: AWSPreparedRequest) -> bytes:
    body: Any = request.body
    return _bytes(body.read() if hasattr(body, "read") else body or b"")


def _bytes(of: str | bytes | bytearray) -> bytes:
    return of.encode() if isinstance(of, str) else bytes(of)
