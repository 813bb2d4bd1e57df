"""One measurement in a process of its own: `python -m bench.cases NAME` prints what it found as JSON."""

import csv
import io
import json
import os
import re
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext, redirect_stdout
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROWS = 5_000
LATENCY = 0.008  # seconds
CLOUDWATCH = 26  # bytes that it counts for each line
BLOCK = 128 * 1024
CPU_BEFORE_IMPORTS, WALL_BEFORE_IMPORTS = time.process_time(), time.perf_counter()

Found = dict[str, float]


def cold_start() -> Found:
    """Import the handler and have it ingest a file of one row."""
    event = json.loads(os.environ["BENCH_EVENT"])
    from csv_ingest.handler import handler

    handler(event, _context())
    return _since_start()


def cold_start_baseline() -> Found:
    """Import boto3 and create the clients that this needs."""
    import boto3

    boto3.client("s3")
    boto3.client("dynamodb")
    return _since_start()


def handler_cpu() -> Found:
    """The whole handler, on a file that is new to it, and on the same event again."""
    return _handler(ROWS)


def handler_answered() -> Found:
    """The same, with a DynamoDB that answers at once: MiniStack slows this process down, the more it has to do."""
    from botocore.awsrequest import AWSResponse
    from botocore.compat import HTTPHeaders

    from csv_ingest import clients

    def answer(request: Any, **_: Any) -> Any:
        if not _is_of_rows(request.body):
            return None
        body = json.dumps({"Responses": [{}] * request.body.count(b'"Statement":')}).encode()
        return AWSResponse(request.url, 200, HTTPHeaders(), SimpleNamespace(stream=lambda: [body]))

    clients.dynamodb().meta.events.register_last("before-send.dynamodb.BatchExecuteStatement", answer)
    return _handler(ROWS)


def _is_of_rows(body: bytes) -> bool:
    """Whether rows are inserted. The ledger's own statements name the rows table too, as the place of a file's rows."""
    return f'INSERT INTO "{os.environ["ROWS_TABLE"]}"'.replace('"', '\\"').encode() in body


def handler_typed() -> Found:
    """The same, with four columns of types of their own."""
    columns = {"quantity": "integer", "price": "decimal", "ordered": "date", "gift": "boolean"}
    _configure(format={"columns": columns})
    return handler_answered()


def handler_formatted() -> Found:
    """The same with types, where cells are looked up among null markers, and numbers and dates have formats."""
    columns = {"quantity": "integer", "price": "decimal", "ordered": {"type": "date", "format": "%Y-%m-%d"}}
    _configure(format={"columns": columns, "null_values": ["NULL", "n/a", "-"], "grouping_separator": "comma"})
    return handler_answered()


def merge_answered() -> Found:
    """The same as `handler_answered`, in a feed that merges: every id is new."""
    _configure(write_mode="merge")
    return handler_answered()


def merge_corrected() -> Found:
    """The whole handler of a feed that merges, on a file whose ids are all in the table, with other values."""
    _configure(write_mode="merge")
    return _handler(ROWS, corrected=True)


def merge_units() -> Found:
    """What such a file takes of DynamoDB, per row."""
    from bench.spending import Spent
    from csv_ingest import clients
    from csv_ingest.handler import handler

    _configure(write_mode="merge")
    key, _ = _upload(ROWS)
    handler(_event(key), _context())
    _correct(key)
    event, spent = _event(key), Spent(clients.dynamodb())
    handler(event, _context())
    return {"writes": spent.rows / ROWS, "reads": spent.reads / ROWS, "requests": len(spent.requests)}


def small_file() -> Found:
    """What a file of 50 rows takes: requests one after the other, write units of the ledger, and bytes of log."""
    from bench.spending import Spent
    from csv_ingest import clients

    os.environ["AWS_LAMBDA_LOG_LEVEL"] = "INFO"
    text = io.StringIO()
    with redirect_stdout(text):  # before Powertools looks for it
        from csv_ingest.handler import handler

        handler(_event(_upload(50)[0]), _context())
        event = _event(_upload(50)[0])
        spent = Spent(clients.s3(), clients.dynamodb())
        text.truncate(0)
        text.seek(0)
        handler(event, _context())
    at_once = spent.requests.count("BatchExecuteStatement")  # not more than may be in flight
    lines = text.getvalue().encode().splitlines()
    return {
        "requests": len(spent.requests) - at_once + 1,
        "units": spent.ledger,
        "index_units": spent.index,
        "log_bytes": sum(len(line) + CLOUDWATCH for line in lines),
    }


def handler_latency(in_flight: int) -> Found:
    """The same, with each request to DynamoDB on its way for 8 ms."""
    return _handler(ROWS, latency=LATENCY, in_flight=in_flight)


def put_item(rows: int, latency: float = 0) -> Found:
    """The obvious handler: one conditional put_item a row, through the resource API."""
    import boto3
    from botocore.exceptions import ClientError

    dynamodb = boto3.resource("dynamodb")
    requests = _counted(dynamodb.meta.client, latency)
    table = dynamodb.Table(os.environ["ROWS_TABLE"])

    def ingest(key: str, etag: str) -> None:
        body = boto3.client("s3").get_object(Bucket=os.environ["UPLOAD_BUCKET"], Key=key)["Body"].read()
        for line, row in enumerate(csv.DictReader(io.StringIO(body.decode(), newline="")), start=2):
            item: Any = {"pk": f"{etag}#{row['id']}", "etag": etag, "line": line, "data": json.dumps(row)}
            try:
                table.put_item(Item=item, ConditionExpression="attribute_not_exists(pk)")
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise

    ingest(*_upload(50))
    key, etag = _upload(rows)
    requests.clear()
    found = _measured(lambda: ingest(key, etag), rows) | {"requests": len(requests)}
    if not latency:
        requests.clear()
        ingest(key, etag)
        found["requests_again"] = len(requests)
    return found


def batch_write() -> Found:
    """Unconditional BatchWriteItem, 25 rows a request, through the client."""
    import boto3

    dynamodb, s3, table = boto3.client("dynamodb"), boto3.client("s3"), os.environ["ROWS_TABLE"]

    def write(items: list[Any]) -> None:
        left: Any = {table: items}
        while left:
            left = dynamodb.batch_write_item(RequestItems=left)["UnprocessedItems"]

    def ingest(key: str, etag: str) -> None:
        body = s3.get_object(Bucket=os.environ["UPLOAD_BUCKET"], Key=key)["Body"].read()
        items: list[Any] = []
        for line, row in enumerate(csv.DictReader(io.StringIO(body.decode(), newline="")), start=2):
            item = {"pk": f"{etag}#{row['id']}", "etag": etag, "data": json.dumps(row)}
            typed = {name: {"S": value} for name, value in item.items()} | {"line": {"N": str(line)}}
            items.append({"PutRequest": {"Item": typed}})
            if len(items) == 25:  # noqa: PLR2004
                write(items)
                items = []
        if items:
            write(items)

    ingest(*_upload(50))
    key, etag = _upload(ROWS)
    return _measured(lambda: ingest(key, etag), ROWS)


def floor() -> Found:
    """The bodies of the handler's requests for the rows, signed and sent by botocore's bare HTTP session."""
    import socket

    import boto3
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.httpsession import URLLib3Session

    from csv_ingest import clients

    bodies: list[bytes] = []

    def keep(request: Any, **_: Any) -> None:
        if b"BatchExecuteStatement" in request.headers["X-Amz-Target"]:
            bodies.append(request.body)

    clients.dynamodb().meta.events.register("before-send", keep)
    _handler(ROWS)
    # Other keys, or the rows would be there already.
    known = re.compile(rb"[0-9a-f]{32}#")
    other = uuid.uuid4().hex.encode() + b"#"
    todo = [known.sub(other, body) for body in bodies[-ROWS // 25 :]]
    credentials: Any = boto3.Session().get_credentials()
    no_delay: Any = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]  # as the client has it
    http = URLLib3Session(socket_options=no_delay)
    url, region = clients.dynamodb().meta.endpoint_url, clients.dynamodb().meta.region_name
    headers = {
        "X-Amz-Target": "DynamoDB_20120810.BatchExecuteStatement",
        "Content-Type": "application/x-amz-json-1.0",
    }

    def send() -> None:
        for body in todo:
            request = AWSRequest("POST", url, data=body, headers=headers)
            SigV4Auth(credentials, "dynamodb", region).add_auth(request)
            if b"Error" in http.send(request.prepare()).content:
                raise RuntimeError("the rows were there already, or not taken")

    return _measured(send, ROWS)


def postgresql() -> Found:
    """The whole handler of a feed with PostgreSQL. Its ledger is in DynamoDB."""
    return _handler(ROWS)


def postgresql_rows() -> Found:
    """Of it, what reads and stores the rows, without the ledger: the connection, the reader and RowStore."""
    from csv_ingest.configuration import IngestConfig
    from csv_ingest.csvfile import read_rows
    from csv_ingest.delivery import Delivery
    from csv_ingest.events import object_version
    from csv_ingest.model import Origin, Row, Tuning
    from csv_ingest.row_store import RowStore

    config = IngestConfig.from_environment()

    def ingest(event: dict[str, Any]) -> None:
        version = object_version(event["Records"][0])
        told: Any = {"function": "bench", "seconds_left": lambda: 900.0, "tuning": Tuning()}
        with closing(Delivery(version, config=config, **told)) as delivery, delivery.open() as stream:
            origin, rows = Origin(version.etag), read_rows(stream, config.feed.format)
            store = RowStore(delivery.destination, config.feed.mode, origin=origin, on_duplicate_id=lambda: None)
            while batch := [row for row in islice(rows, delivery.destination.max_insert) if isinstance(row, Row)]:
                store.store(batch)

    ingest(_event(_upload(50)[0]))
    event = _event(_upload(ROWS)[0])
    return _measured(lambda: ingest(event), ROWS)


def postgresql_insert(rows: int) -> Found:
    """The obvious handler: one INSERT a row, each a transaction; the statement is prepared once."""
    from pg8000.native import Connection

    connection = _connected(Connection)
    statement = connection.prepare("INSERT INTO bench VALUES (:etag, :id, :line, :data) ON CONFLICT DO NOTHING")

    def ingest(key: str, etag: str) -> None:
        for line, id_, data in _lines(key):
            statement.run(etag=etag, id=id_, line=line, data=data)

    ingest(*_upload(50))
    key, etag = _upload(rows)
    return _measured(lambda: ingest(key, etag), rows)


def postgresql_executemany() -> Found:
    """The DB-API's executemany, in one transaction."""
    from pg8000.dbapi import connect

    connection = _connected(connect)
    sql = "INSERT INTO bench VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"

    def ingest(key: str, etag: str) -> None:
        connection.cursor().executemany(sql, ((etag, id_, line, data) for line, id_, data in _lines(key)))
        connection.commit()

    ingest(*_upload(50))
    key, etag = _upload(ROWS)
    return _measured(lambda: ingest(key, etag), ROWS)


def postgresql_copy() -> Found:
    """COPY: fails if one row is there already."""
    from pg8000.native import Connection

    connection = _connected(Connection)

    def ingest(key: str, etag: str) -> None:
        text = io.StringIO()
        csv.writer(text).writerows((etag, id_, line, data) for line, id_, data in _lines(key))
        text.seek(0)
        connection.run("COPY bench FROM STDIN (FORMAT csv)", stream=text)

    ingest(*_upload(50))
    key, etag = _upload(ROWS)
    return _measured(lambda: ingest(key, etag), ROWS)


def memory(key: str) -> Found:
    """The peak of a process that ingests a file: if in parts, then the plan and ten of them.

    DynamoDB answers at once here: what is measured is this process, and not how long the engine needs for the rows.
    """
    from csv_ingest import clients
    from csv_ingest.handler import handler

    parts: list[Any] = []
    _patient()

    def accept(params: Any, **_: Any) -> Any:
        if not _is_of_rows(params["body"]):
            return None
        count = params["body"].count(b'"Statement":')
        return SimpleNamespace(status_code=200), {"Responses": [{}] * count}

    def queue(params: Any, **_: Any) -> Any:
        parts.append(json.loads(params["body"]))
        return SimpleNamespace(status_code=202), {"StatusCode": 202}

    clients.dynamodb().meta.events.register_last("before-call.dynamodb.BatchExecuteStatement", accept)
    clients.lambda_().meta.events.register("before-call.lambda.Invoke", queue)
    handler(_event(key), _context())
    for part in parts[:10]:
        handler(part, _context())
    return {"peak_mb": _peak() / 1e6, "parts": len(parts)}


def read_object(key: str) -> Found:
    """Read an object without looking at it."""
    return _read(key, lambda source: sum(len(block) for block in iter(lambda: source.read(BLOCK), b"")))


def plan_object(key: str) -> Found:
    """Read it as the planning pass does: find where it can be split, and take its hash."""
    from csv_ingest.model import FileFormat, ObjectVersion, Tuning
    from csv_ingest.planning import plan_file

    version, format_ = ObjectVersion("", key, "", "", 0), FileFormat("id", ",", "utf-8")

    def plan(stream: Any) -> int:
        found, *_ = plan_file(version, format_, lambda _: nullcontext(stream), acceptance=None, tuning=Tuning())
        return len(found.parts)

    return _read(key, plan)


def same_records(path: str) -> Found:
    """Whether a file's parts, joined, have exactly the records that Python's csv module reads in it."""
    import hashlib
    from itertools import pairwise

    from csv_ingest.csvfile import read_records, split_points
    from csv_ingest.model import FileFormat, PartStart, Tuning

    format_ = FileFormat("id", ",", "utf-8")
    whole, joined, rows = hashlib.sha256(), hashlib.sha256(), 0
    with Path(path).open(encoding="utf-8", newline="") as text:
        for record in csv.reader(text, strict=True):
            whole.update("\0".join(record).encode())
            rows += 1
    with Path(path).open("rb") as file:
        parts = list(split_points(file, format_, Tuning()))
    size = Path(path).stat().st_size
    with Path(path).open("rb") as file:
        for part, after in pairwise([*parts, PartStart(size, 0)]):
            piece = io.BytesIO(file.read(after.byte - part.byte))
            for _, record in read_records(piece, format_, start=part):
                joined.update("\0".join(record).encode())
    return {"rows": rows, "bytes": size, "parts": len(parts), "same": whole.digest() == joined.digest()}


UNCHECKED = """import runpy, sys, types
plugin = types.ModuleType("gates.plugin")
plugin.guard = lambda app: None
sys.modules[plugin.__name__] = plugin
runpy.run_path("app.py")
"""
"""The application as it would be if nobody had written the checks: cdk-nag is not even imported."""


def synth(app: str) -> Found:
    """`cdk synth` of the default stage, the package included."""
    import subprocess
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        command = ["cdk", "--no-notices", "synth", "--quiet", "--app", app, "--output", folder]
        subprocess.run(command, capture_output=True, check=True)
        return {"wall": time.perf_counter() - start}


def _patient() -> None:
    """MiniStack stops for seconds in an object of hundreds of megabytes, which S3 does not."""
    from csv_ingest import clients

    clients._CONFIG.read_timeout = 60  # type: ignore[attr-defined]  # noqa: SLF001


def _read(key: str, work: Callable[[Any], int]) -> Found:
    from csv_ingest import clients
    from csv_ingest.events import object_version
    from csv_ingest.source import open_object

    _patient()
    version = object_version(_event(key)["Records"][0])
    with open_object(version, clients.s3()) as source:
        cpu, wall = time.process_time(), time.perf_counter()
        count = work(source)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {"mb_s": version.size / 1e6 / wall, "mb_s_cpu": version.size / 1e6 / cpu, "count": count}


def _handler(rows: int, latency: float = 0, in_flight: int | None = None, *, corrected: bool = False) -> Found:
    from csv_ingest import clients
    from csv_ingest.handler import handler
    from csv_ingest.model import Tuning

    tuning = Tuning(in_flight=in_flight) if in_flight else Tuning()
    requests = _counted(clients.dynamodb(), latency)
    handler(_event(_upload(50)[0]), _context())
    key, _ = _upload(rows)
    if corrected:
        handler(_event(key), _context(), tuning=tuning)
        _correct(key)
    event = _event(key)
    requests.clear()
    found = _measured(lambda: handler(event, _context(), tuning=tuning), rows) | {"requests": len(requests)}
    requests.clear()
    handler(event, _context())
    return found | {"requests_again": len(requests)}


def _configure(**settings: Any) -> None:
    """Have the feed of the environment with other settings, as its JSON has them."""
    os.environ["FEED"] = json.dumps(json.loads(os.environ["FEED"]) | settings)


def _correct(key: str) -> None:
    """Upload a file again, with another value in each row."""
    import boto3

    bucket: Any = boto3.resource("s3").Bucket(os.environ["UPLOAD_BUCKET"])
    text = bucket.Object(key).get()["Body"].read()
    bucket.put_object(Key=key, Body=text.replace(b"please ring the bell, twice", b"please ring the bell, once!"))


def _measured(work: Callable[[], None], rows: int) -> Found:
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return {"cpu_us": (time.process_time() - cpu) / rows * 1e6, "wall": time.perf_counter() - wall}


def _connected(connect: Callable[..., Any]) -> Any:
    """A connection of pg8000 through a socket like the function's: TLS, and nothing waits for an acknowledgement."""
    from csv_ingest.configuration import IngestConfig
    from csv_ingest.postgresql import login as postgresql_login
    from csv_ingest.postgresql import session as postgresql_session

    database = IngestConfig.from_environment().feed.database
    assert database  # noqa: S101
    address = database.host, database.port
    socket = postgresql_session._encrypted(database, address, end=time.monotonic() + 5)  # noqa: SLF001
    user, password = postgresql_login.login_of(database)
    return connect(user, database=database.name, password=password, sock=socket, ssl_context=False)


def _lines(key: str) -> Iterator[tuple[int, str, str]]:
    """The line, the id and the JSON of each row of an upload, as the csv module reads it."""
    import boto3

    body = boto3.client("s3").get_object(Bucket=os.environ["UPLOAD_BUCKET"], Key=key)["Body"].read()
    for line, row in enumerate(csv.DictReader(io.StringIO(body.decode(), newline="")), start=2):
        yield line, row["id"], json.dumps(row)


def _since_start() -> Found:
    cpu, wall = time.process_time() - CPU_BEFORE_IMPORTS, time.perf_counter() - WALL_BEFORE_IMPORTS
    return {"cpu_ms": cpu * 1e3, "wall_ms": wall * 1e3}


def _counted(client: Any, latency: float) -> list[str]:
    requests: list[str] = []

    def note(event_name: str, **_: Any) -> None:
        requests.append(event_name)
        if latency:
            time.sleep(latency)

    client.meta.events.register("before-send", note)
    return requests


def _upload(rows: int) -> tuple[str, str]:
    """Upload a file of orders that nobody has uploaded before, with ids that are new; its key and ETag."""
    import boto3

    from local.examples import orders

    key = f"{uuid.uuid4().hex}.csv"
    body = orders(rows).replace(b"ORDER-", f"{uuid.uuid4().hex[:5]}-".encode())
    answer = boto3.client("s3").put_object(Bucket=os.environ["UPLOAD_BUCKET"], Key=key, Body=body)
    return key, answer["ETag"].strip('"')


def _event(key: str) -> dict[str, Any]:
    import boto3

    from csv_ingest.events import upload_event
    from csv_ingest.model import ObjectVersion

    bucket = os.environ["UPLOAD_BUCKET"]
    head = boto3.client("s3").head_object(Bucket=bucket, Key=key)
    return upload_event(ObjectVersion(bucket, key, head["VersionId"], head["ETag"].strip('"'), head["ContentLength"]))


def _context() -> Any:
    return SimpleNamespace(
        aws_request_id="bench",
        function_name="bench",
        invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:bench",
        memory_limit_in_mb=512,
        get_remaining_time_in_millis=lambda: 900_000,
    )


def _peak() -> int:
    """Bytes of memory that this process had at most; ru_maxrss can be that of its parent."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024


def write_quoted_file(path: Path, size: int) -> None:
    """Write a file with newlines in quotes."""
    from local.examples import quoted_lines

    with path.open("wb") as file:
        file.writelines(quoted_lines(size))


CASES: dict[str, Callable[..., Found]] = {
    "handler": handler_cpu,
    "handler, answered": handler_answered,
    "handler, typed": handler_typed,
    "handler, formatted": handler_formatted,
    "merge, answered": merge_answered,
    "merge, corrected": merge_corrected,
    "merge, units": merge_units,
    "small file": small_file,
    "postgresql, merge": postgresql,
    "postgresql, merge, corrected": merge_corrected,
    "put_item": lambda: put_item(ROWS),
    "batch_write": batch_write,
    "floor": floor,
    "handler +8 ms": lambda: handler_latency(4),
    "handler +8 ms, 1": lambda: handler_latency(1),
    "handler +8 ms, 2": lambda: handler_latency(2),
    "handler +8 ms, 8": lambda: handler_latency(8),
    "put_item +8 ms": lambda: put_item(ROWS // 10, LATENCY),
    "cold start": cold_start,
    "cold start, deployed": cold_start,
    "cold start baseline": cold_start_baseline,
    "cold start, postgresql": cold_start,
    "cold start, deployed, postgresql": cold_start,
    "postgresql": postgresql,
    "postgresql, rows": postgresql_rows,
    "postgresql, insert": lambda: postgresql_insert(ROWS),
    "postgresql, executemany": postgresql_executemany,
    "postgresql, copy": postgresql_copy,
    "postgresql +3 ms": postgresql,
    "postgresql +3 ms, insert": lambda: postgresql_insert(ROWS // 10),
    "memory": memory,
    "read": read_object,
    "plan": plan_object,
    "same records": same_records,
    "synth": lambda: synth(f"{sys.executable} app.py"),
    "synth, unchecked": lambda: synth(f"{sys.executable} -c '{UNCHECKED}'"),
}

if __name__ == "__main__":
    _found = CASES[sys.argv[1]](*sys.argv[2:])
    print(json.dumps(_found))  # noqa: T201
