"""The uploads of the demo and of the tests, and the rows that they must lead to, read without the pipeline's parser."""

import csv
import io
import json
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any

from local.deployment import TableRow
from local.processes import PROJECT

EXAMPLES = PROJECT / "examples"

FEEDS: dict[str, dict[str, Any]] = json.loads((EXAMPLES / "feeds.json").read_text())
"""The feeds of the demo, as they would be in cdk.json."""

SAMPLE_EVENTS = EXAMPLES / "events"
"""What arrives without an upload: S3's own test event, and the console's template."""


def orders(count: int, *, first: int = 0) -> bytes:
    """A CSV file of `count` rows of about 130 bytes, with the ids from `first` on, the same at every call."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["id", "customer", "email", "item", "quantity", "price", "ordered", "gift", "note"])
    for number in range(first, first + count):
        customer = number * 7919 % 100_003
        writer.writerow(
            [
                f"ORDER-{number:07d}",
                f"Customer {customer:06d}",
                f"customer{customer}@example.com",
                f"Teapot, model {number % 37}",
                number % 9 + 1,
                f"{number % 10_000 / 100:.2f}",
                f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}",
                "false" if number % 3 else "true",
                "please ring the bell, twice",
            ]
        )
    return text.getvalue().encode()


def quoted_lines(size: int) -> Iterator[bytes]:
    """A CSV file of at least `size` bytes, in pieces: 200 bytes a row, in every hundredth a cell of several lines."""
    yield b"id,name,note,filler\n"
    written = count = 0
    while written < size:
        rows = []
        for number in range(count, count + 1_000):
            line_end = "\r\n" if number % 10_000 == 7 else "\n"  # noqa: PLR2004
            note = f'"a ""note"", größer,{line_end}on two lines"' if number % 100 == 7 else "a note"  # noqa: PLR2004
            rows.append(f"{number:09d},Miller {number % 997},{note},{'x' * 160}\n")
        piece = "".join(rows).encode()
        yield piece
        written += len(piece)
        count += len(rows)


def expected_rows(
    content: bytes, etag: str, *, feed: Mapping[str, Any] | None = None, bad_lines: Collection[int] = ()
) -> dict[str, TableRow]:
    """The items that a file must lead to, as Python's csv module reads it, but for its bad rows.

    `feed` is how examples/feeds.json says that the file is read; without it, as by default.
    """
    settings = feed or {}
    text = io.StringIO(content.decode(settings.get("encoding", "utf-8-sig")), newline="")
    reader = csv.reader(text, delimiter=";" if settings.get("delimiter") == "semicolon" else ",")
    names = next(reader)
    expected = {}
    first_line = reader.line_num + 1
    for record in reader:
        if first_line not in bad_lines:
            row = dict(zip(names, record, strict=True))
            id_ = row[settings.get("id_column", "id")]
            key = id_ if settings.get("write_mode") == "merge" else f"{etag}#{id_}"
            values = _take_typed(row, settings)
            data = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
            expected[key] = TableRow(first_line, data, values)
        first_line = reader.line_num + 1
    return expected


def _take_typed(row: dict[str, str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Take the cells of declared columns out of a row, those of the spellings that the examples have."""
    values: dict[str, Any] = {}
    for name, declaration in settings.get("columns", {}).items():
        type_, cell = declaration.split()[0], row.pop(name)
        if type_ in ("integer", "decimal"):
            value: Any = Decimal(cell.replace(",", ".")) if cell else None
        else:
            value = cell == "true" if type_ == "boolean" else cell
        if cell:
            values[declaration.rpartition(" as ")[2] if " as " in declaration else name] = value
    return values


def sample_event(name: str) -> dict[str, Any]:
    """One of the events in examples/events."""
    event: dict[str, Any] = json.loads((SAMPLE_EVENTS / name).read_text())
    return event
