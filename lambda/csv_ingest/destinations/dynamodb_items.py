"""The items of a rows table in DynamoDB: what their attributes are, and how many bytes they take. Pure."""

from datetime import UTC, datetime
from decimal import Decimal

from csv_ingest.dynamodb import Attribute, Item
from csv_ingest.model import OF_EVERY_ROW, ROW_EXPIRES_AT, ForeignItem, Origin, Row, RowKey, StoredRow, Value
from csv_ingest.modes import WriteMode

UPLOADED = "uploaded"
"""The attribute that has the order of an upload, where uploads have one."""

_SIZE_OF_TIME = 6
"""Bytes of a time in seconds, at most: so a row fits whenever it expires, or never does."""


def to_item(mode: WriteMode, origin: Origin, row: Row) -> Item:
    """The item of a row: an attribute for each declared column that is not empty."""
    item: Item = {
        "pk": {"S": mode.row_key(RowKey(origin.upload, row.id))},
        "etag": {"S": origin.etag},
        "line": {"N": str(row.line)},
        "data": {"S": row.data},
    }
    if origin.upload_order:
        item[UPLOADED] = {"S": origin.upload_order}
    item |= expiry(origin.expires_at)
    for name, value in row.values.items():
        if isinstance(value, str):
            item[name] = {"S": value}
        elif isinstance(value, Decimal):
            item[name] = {"N": str(value)}
        elif value is not None:
            item[name] = {"BOOL": value}
    return item


def expiry(at: datetime | None) -> Item:
    """The attribute by which a row expires; none if it never does.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-before-you-start.html
    """
    return {ROW_EXPIRES_AT: {"N": str(int(at.timestamp()))}} if at else {}


def _expires_at(item: Item) -> datetime | None:
    """When an item expires; None if it never does: DynamoDB heeds nothing but numbers, and others can write any."""
    try:
        return datetime.fromtimestamp(int(item.get(ROW_EXPIRES_AT, {})["N"]), UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        return None


def from_item(mode: WriteMode, item: Item) -> StoredRow | ForeignItem:
    """What a table holds, whoever wrote it."""
    key = mode.parse_row_key(item["pk"]["S"], item.get(UPLOADED, {}).get("S", ""))
    try:
        etag, line, data = item.get("etag", {}).get("S"), int(item["line"]["N"]), item["data"]["S"]
    except (KeyError, ValueError):
        return ForeignItem(key)
    if not key.upload:
        return ForeignItem(key)
    own = (*OF_EVERY_ROW, *mode.own_columns)
    values = {name: _value(item[name]) for name in item if name not in own}
    return StoredRow(key, etag, line, data, values, _expires_at(item))


def item_size(mode: WriteMode, origin: Origin, row: Row) -> int:
    """How many bytes the item of a row has, at most. Names count as well as values."""
    texts = (*OF_EVERY_ROW, mode.row_key(RowKey(origin.upload, row.id)), origin.etag, row.data)
    size = sum(len(text.encode()) for text in texts) + _size_of_integer(row.line)
    if origin.upload_order:
        size += len(UPLOADED) + len(origin.upload_order)
    if origin.expires_at:
        size += len(ROW_EXPIRES_AT) + _SIZE_OF_TIME
    return size + sum(len(name) + _size(value) for name, value in row.values.items() if value is not None)


def _size(value: Value) -> int:
    """How many bytes DynamoDB stores for a value; for a number, at most so many."""
    if isinstance(value, str):
        return len(value.encode())
    # Its digits are paired from the decimal point on, so that both ends can have one more byte; and a negative one has.
    return 1 if isinstance(value, bool) else 4 + len(value.as_tuple().digits) // 2


def _size_of_integer(number: int) -> int:
    """How many bytes DynamoDB stores for a positive integer: one, and one for each two digits.

    Pairs of zeros at the end are not stored.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    digits = str(number)
    zeros = len(digits) - len(digits.rstrip("0"))
    return 1 + (len(digits) + 1) // 2 - zeros // 2


def _value(attribute: Attribute) -> Value:
    """The value of an attribute; of a kind that no column has, a text that says so."""
    match attribute:
        case {"N": number}:
            return Decimal(number)
        case {"S": str(value)} | {"BOOL": bool(value)}:
            return value
    return repr(attribute)
