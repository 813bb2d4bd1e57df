"""The items of the files table: what is written into them, and how it is read."""

import json
from datetime import UTC, datetime, timedelta

from csv_ingest import dynamodb, modes
from csv_ingest.ledger import keys, names
from csv_ingest.model import (
    DEFAULT_FEED,
    FILE_EXPIRES_AT,
    BeingErased,
    Content,
    FileFormat,
    ObjectVersion,
    Owner,
    PartStart,
    Plan,
    RejectedRow,
    RowCounts,
)

MAX_COLUMNS = 30_000
"""Characters of the names of a file's columns, as JSON, that are recorded with its content."""


def about_plan(plan: Plan, owner: Owner) -> dynamodb.Item:
    """The attributes that say how a file is read, by which feed, for which table, the upload's order, time and end.

    The first delivery that plans the file says it for all. What is at its default is left out.
    """
    feed = "" if owner.feed == DEFAULT_FEED else owner.feed
    about = {
        names.FEED: feed,
        names.TARGET: str(owner.target),
        names.UPLOADED: plan.upload_order,
        names.UPLOADED_AT: plan.uploaded_at,
        names.ROWS_EXPIRE_AT: plan.rows_expire_at,
    }
    return about_format(plan.format) | {name: {"S": text} for name, text in about.items() if text}


def about_content(content: Content) -> dynamodb.Item:
    """The attributes of the item that says what an ETag stands for."""
    about: dynamodb.Item = {"sha256": {"S": content.sha256}, **about_format(content.format)}
    if content.upload_order:
        about[names.UPLOADED] = {"S": content.upload_order}
    columns = json.dumps(content.columns)
    if content.columns and len(columns) <= MAX_COLUMNS:
        about[names.COLUMNS] = {"S": columns}
    return about


def content_of(item: dynamodb.Found) -> Content | None:
    """What an ETag stands for; None if there is no item."""
    if "sha256" not in item:
        return None
    return Content(
        item["sha256"]["S"],
        FileFormat.from_text(item["format"]["S"]),
        item.get(names.UPLOADED, {}).get("S", ""),
        json.loads(item.get(names.COLUMNS, {}).get("S", "[]")),
    )


def require_not_erased(item: dynamodb.Found) -> dynamodb.Found:
    """The item that says what an ETag stands for; raises BeingErased if that is being taken back."""
    if names.ERASING in item:
        command = item[names.ERASING]["S"]
        raise BeingErased(f"`csv-ingest {command}` is under way for this content: it delivers the file again")
    return item


def expiry(keep_days: int | None, rows_expire_at: str) -> dynamodb.Item:
    """The attribute by which an item expires so many days from now, and not before the rows; none if these never do.

    As long as there are rows, somebody may want to know whose they are, or to have them forgotten.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-before-you-start.html
    """
    if keep_days is None or not rows_expire_at:
        return {}
    expires_at = max(datetime.now(UTC) + timedelta(days=keep_days), datetime.fromisoformat(rows_expire_at))
    return {FILE_EXPIRES_AT: {"N": str(int(expires_at.timestamp()))}}


def item_of_reject(object_key: str, upload: str, row: RejectedRow) -> dynamodb.Item:
    about: dynamodb.Item = {"line": {"N": str(row.line)}, "reason": {"S": row.reason}}
    return keys.key_of_reject(object_key, upload, row.line) | about


def reject_of(item: dynamodb.Item) -> RejectedRow:
    return RejectedRow(int(item["line"]["N"]), item["reason"]["S"])


def sums(counts: RowCounts, mode: modes.WriteMode) -> dynamodb.Item:
    """The attributes that count rows. Few files have all five."""
    left_out = {names.SUPERSEDED} if not mode.supersedes else set()
    if not counts.unrecorded:
        left_out.add(names.UNRECORDED)
    return {name: {"N": str(number)} for name, number in zip(names.SUMS, counts, strict=True) if name not in left_out}


def about_version(version: ObjectVersion) -> dynamodb.Item:
    """The attributes that say which version of the object a record is about."""
    return {"version_id": {"S": version.version_id}, "size": {"N": str(version.size)}}


def processing(entries: keys.Entries) -> dynamodb.Item:
    """The attributes of an upload that is being ingested."""
    mode: dynamodb.Item = {names.WRITE_MODE: {"S": entries.mode.name}} if entries.mode is not modes.APPEND else {}
    return {"status": {"S": names.PROCESSING}, **about_version(entries.version), **mode}


def listed(feed: str, status: str, at: dynamodb.Attribute) -> dynamodb.Item:
    """The attributes by which an upload is found in the index."""
    return {names.FEED_STATUS: {"S": keys.feed_status(feed, status)}, names.STATUS_AT: at}


def erasing(command: str) -> dynamodb.Item:
    """The attributes of an upload that is being taken back."""
    return {"status": {"S": names.COMPLETE}, names.ERASING: {"S": command}, names.ERASING_SINCE: now()}


def acknowledged(by: str, reason: str) -> dynamodb.Item:
    """The attributes of an upload whose outcome somebody knows of."""
    return dict(zip(names.ACKNOWLEDGEMENT, (now(), {"S": by}, {"S": reason}), strict=True))


def about_format(format_: FileFormat) -> dynamodb.Item:
    """The attribute that says how a file is read."""
    return {"format": {"S": format_.to_text()}}


def item_of_plan(entries: keys.Entries, plan: Plan, owner: Owner) -> dynamodb.Item:
    about: dynamodb.Item = {
        **about_plan(plan, owner),
        names.COLUMNS: {"S": json.dumps(plan.header)},
        "parts": {"S": json.dumps(plan.parts)},
    }
    if plan.delimiter:
        about["delimiter"] = {"S": plan.delimiter}
    if plan.end_line:
        about["end_line"] = {"N": str(plan.end_line)}
    return keys.key_of(entries, keys.PLAN) | about | expiry(entries.keep_days, plan.rows_expire_at)


def plan_of(item: dynamodb.Found) -> Plan:
    """The plan of an item; raises KeyError if there is no item."""
    return Plan(
        FileFormat.from_text(item["format"]["S"]),
        json.loads(item[names.COLUMNS]["S"]),
        [PartStart(*part) for part in json.loads(item["parts"]["S"])],
        item.get(names.UPLOADED, {}).get("S", ""),
        item.get("delimiter", {}).get("S", ""),
        int(item.get("end_line", {}).get("N", "0")),
        item.get(names.UPLOADED_AT, {}).get("S", ""),
        item.get(names.ROWS_EXPIRE_AT, {}).get("S", ""),
    )


def now() -> dynamodb.Attribute:
    """The time, UTC, in ISO 8601."""
    return {"S": text_of_time(datetime.now(UTC))}


def text_of_time(time: datetime) -> str:
    """As the table has times, so that texts are in the order of their times: UTC, in ISO 8601, with milliseconds."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds")
