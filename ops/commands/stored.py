"""How stored rows are shown: by `rows` and by `find`, and their values by `audit`."""

import json
from decimal import Decimal
from typing import Any

from csv_ingest.model import StoredRow, Value


def as_text(row: StoredRow) -> str:
    """A row in one line: its id and its texts in quotes, so that nothing in them can be taken for something else."""
    columns = "".join(f" {name}={value_as_text(value)}" for name, value in row.values.items() if value is not None)
    return f"{quoted(row.key.id or '')} {row.data}{columns}"


def as_json(row: StoredRow) -> dict[str, Any]:
    """A row for scripts; numbers are texts, because many readers of JSON would round them."""
    columns = {name: value_as_json(value) for name, value in row.values.items()}
    uploaded = {} if row.key.upload == row.etag else {"uploaded": row.key.upload}  # in a feed that merges
    return {"line": row.line, "id": row.key.id, **uploaded, "data": _parsed(row.data), "columns": columns}


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def value_as_text(value: Value) -> str:
    return quoted(value) if isinstance(value, str) else str(value_as_json(value)).lower()


def value_as_json(value: Value | None) -> str | bool | None:
    return f"{value:f}" if isinstance(value, Decimal) else value


def _parsed(data: str) -> Any:
    """The object; a text that is no JSON, which only others can have written, as it is."""
    try:
        return json.loads(data)
    except ValueError:
        return data
