"""The names of the files table's attributes, the values that they have, and conditions about them."""

from collections.abc import Mapping

from csv_ingest.dynamodb import Item
from csv_ingest.model import FILE_EXPIRES_AT, FILES_INDEX_KEY, Phase

FEED, TARGET = "feed", "place"
"""The attributes of a planned upload, and of a plan, that name the feed, and where its rows are."""

PROCESSING, COMPLETE, REJECTED = "PROCESSING", "COMPLETE", "REJECTED"

SETTLED = frozenset({COMPLETE, REJECTED})

ERASING = "erasing"
"""The attribute of a file's record, and of what its ETag stands for, while an operator's command takes back what was
ingested: the name of the command. The record is COMPLETE meanwhile, so that every delivery leaves the file alone."""

RELOAD, FORGET = "reload", "forget"
"""The commands that take back what was ingested."""

ERASING_SINCE, ERASING_KEYS = "erasing_since", "erasing_keys"
"""Beside `erasing`: since when that is so; of what an ETag stands for, which object keys are being forgotten, a set."""

WRITE_MODE = "write_mode"
"""The attribute of a record that names the write mode, unless that is `append`."""

UPLOADED = "uploaded"
"""The attribute of a planned upload, and of a plan, that has the order of the upload, where uploads have one."""

UPLOADED_AT = "uploaded_at"
"""The attribute of a planned or rejected upload, and of a plan, that says when the upload was made."""

ROWS_EXPIRE_AT = "rows_expire_at"
"""The attribute of a planned upload, and of a plan, that says when the rows of the upload expire, if they do."""

FEED_STATUS, STATUS_AT = FILES_INDEX_KEY
"""The attributes by which an upload is found in the index: `<feed>#<status>`, and since when it has that status. One
record per upload has them; the record of a single version has them only if that is of no upload's record."""

COLUMNS = "columns"
"""The attribute of a plan, and of what an ETag stands for, that has the names of the file's columns."""

ACKNOWLEDGEMENT = ("acknowledged_at", "acknowledged_by", "acknowledged_reason")
"""The attributes of a settled record that say who knows that it is not good. Whatever changes the outcome removes them,
since nobody knows of the new one."""

EXPIRY = (FILE_EXPIRES_AT,)
"""The attribute of a settled record that expires. Whatever opens the record again removes it."""

OF_REJECTION = ("reason", "settled_at", "attempts", *EXPIRY, *ACKNOWLEDGEMENT)
"""The attributes of a rejected upload that it loses when a delivery finds its file readable."""

COUNTERS: Mapping[Phase, str] = {Phase.STORE: "parts_done", Phase.CHECK: "parts_checked"}
"""The attribute of the file's record that counts the parts for which a phase is complete."""

SUPERSEDED, UNRECORDED = "rows_superseded", "rejects_unrecorded"

SUMS = ("rows_read", "rows_stored", "rows_rejected", SUPERSEDED, UNRECORDED)
"""The attributes that count rows, in the order of RowCounts."""

ALWAYS = "attribute_exists(#version_id) OR attribute_not_exists(#version_id)"
"""The condition of an update whatever there is."""

UNLESS_COMPLETE = "NOT (#status = :complete)"
"""The condition of every update: a complete record stays as it is."""

COMPLETE_VALUE: Item = {"complete": {"S": COMPLETE}}
"""The value that this condition compares with."""
