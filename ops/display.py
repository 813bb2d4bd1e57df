"""How the commands show what they found: tables and sentences for people, JSON for scripts."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from csv_ingest.ledger import FileRecord
from ops.audit import Discrepancy
from ops.redrive import Redriven
from ops.status import progress_in_parts

# Keys, columns and reasons are other people's text: none of it is markup.
out = Console(highlight=False, markup=False)
err = Console(stderr=True, highlight=False, markup=False)

Files = Sequence[tuple[str, FileRecord]]
"""Object keys with their records."""


@contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """Say what is going on, and, by the function that is yielded, how far it is."""
    with err.status(Text(f"{what} ...")) as shown:
        yield lambda text: shown.update(Text(f"{what}: {text}"))


def upload_progress() -> Progress:
    return Progress(TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), console=err)


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def file_as_json(key: str, record: FileRecord) -> dict[str, Any]:
    """The attributes of the record as the ledger has them, numbers as numbers; only the key if there is no record."""
    return {"object_key": key, **record.attributes}


def print_files(files: Files) -> None:
    table = Table("key", "status", "read", "stored", "rejected", "reason")
    for key, record in files:
        counts = (f"{number:,}" for number in record.counts) if record.counts else ("",) * 3
        table.add_row(key, record.status or "no record", *counts, record.reason or progress_in_parts(record))
    out.print(table)


def redriven_as_json(redriven: Redriven) -> dict[str, str]:
    failure = redriven.failure
    keys = ", ".join(failure.keys)
    return {"keys": keys, "condition": failure.condition, "reason": failure.reason, "action": redriven.action}


def print_redriven(redriven: Sequence[Redriven]) -> None:
    table = Table("key", "condition", "reason", "action")
    for each in redriven:
        table.add_row(*redriven_as_json(each).values())
    out.print(table)


def finding_as_json(finding: Discrepancy) -> Mapping[str, str]:
    fields = {"kind": finding.kind, "key": finding.key, "detail": finding.detail, "etag": finding.etag}
    return fields | {"pk": str(finding.row or "")}


def print_findings(findings: Sequence[Discrepancy]) -> None:
    for finding in findings:
        out.print(f"{finding.kind}: {finding.key or '(no file)'}: {finding.detail}", soft_wrap=True)
