"""The values of rows as PostgreSQL takes and gives them. Pure."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from json.encoder import encode_basestring

from csv_ingest.model import ROW_EXPIRES_AT, Row, RowKey, Value

_MAX_CHARACTERS = 300
"""In a number of a file, which has at most 38 digits, between the 125th before the point and the 130th after it."""

_NO_NUMBER = Decimal("NaN")


def rows_to_json(rows: Sequence[Row]) -> str:
    """The rows as one parameter: an array of objects, whose keys the statement knows."""
    return f"[{','.join(map(_row_to_json, rows))}]"


def keys_to_json(keys: Sequence[RowKey]) -> str:
    pairs = (f'{{"etag":{encode_basestring(key.upload)},"id":{encode_basestring(key.id or "")}}}' for key in keys)
    return f"[{','.join(pairs)}]"


def _row_to_json(row: Row) -> str:
    values = "".join(
        f',"c{number}":{_value_to_json(value)}' for number, value in enumerate(row.values.values()) if value is not None
    )
    return f'{{"id":{encode_basestring(row.id)},"line":{row.line},"data":{row.data}{values}}}'


def _value_to_json(value: Value) -> str:
    if isinstance(value, str):
        return encode_basestring(value)
    return str(value).lower() if isinstance(value, bool) else f"{value:f}"  # a bigint takes no exponent


def readable(column: str, type_: str) -> str:
    """An expression whose text is the same whatever the settings of the session are."""
    if type_ == "timestamp with time zone":
        text = f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')"""
    elif type_ == "date":
        text = f"to_char({column}, 'YYYY-MM-DD')"
    else:
        return f"{column}::text"
    # to_char makes NULL of infinity, and of a year before Christ the same year after.
    return f"CASE WHEN {column} >= '0001-01-01 00:00Z' AND isfinite({column}) THEN {text} ELSE {column}::text END"


def _number(text: str) -> Value:
    """A number that a file can have; otherwise the text, so that nobody calculates with what others have put there."""
    number = Decimal(text) if len(text) <= _MAX_CHARACTERS else _NO_NUMBER
    return number if number.is_finite() else text


def expiry(at: datetime | None) -> dict[str, str | None]:
    """The value of the column by which a row expires: NULL if it never does."""
    return {ROW_EXPIRES_AT: at.isoformat() if at else None}


def expires_at(values: Mapping[str, Value]) -> datetime | None:
    """When a row with some values expires; None if it never does, or the column is something else."""
    try:
        return datetime.fromisoformat(str(values[ROW_EXPIRES_AT]))
    except (KeyError, ValueError):
        return None


READERS: Mapping[str, Callable[[str], Value]] = {
    "bigint": _number,
    "numeric": _number,
    "boolean": "true".__eq__,
    "timestamp with time zone": lambda text: f"{text.removesuffix('.000000')}+00:00",
}
"""From the text of a value, by the type of its column; of other types, the value is the text."""
