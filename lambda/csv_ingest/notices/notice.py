"""What somebody is told: the outcome of a file, in the ledger's words. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from csv_ingest.model import RowCounts

SOURCE = "csv-ingest"
"""Of the events on EventBridge."""

MAX_REASON = 2_000
"""Characters. Whoever may send to the failure queue can write any reason."""


class Kind(StrEnum):
    """The detail-types of the events."""

    COMPLETE = "CSV File Complete"
    REJECTED = "CSV File Rejected"
    FAILED = "CSV File Failed"
    """A delivery has used up its attempts."""
    MISSING = "CSV File Missing"
    FORGOTTEN = "CSV File Forgotten"
    IGNORED = "CSV Objects Ignored"


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One outcome. Row contents are never among it; the reason of a rejected file may name columns of its header.

    Two notices of one outcome are equal. What is not known, or has no meaning for a kind, is None. Times are UTC in ISO
    8601.
    """

    kind: Kind
    feed: str | None = None
    object_key: str | None = None
    etag: str | None = None
    version_id: str | None = None
    size: int | None = None
    """Bytes."""
    status: str | None = None
    """What the ledger says of the upload; None if it says nothing."""
    rows_read: int | None = None
    rows_stored: int | None = None
    rows_rejected: int | None = None
    rows_superseded: int | None = None
    reason: str | None = None
    first_rejects: Sequence[Mapping[str, Any]] = ()
    """`line` and `reason` of at most five rejected rows."""
    columns_added: Sequence[str] | None = None
    """Which the last complete file of the feed did not have; None if the columns of either are not known."""
    rejects_uri: str | None = None
    """Where the rejected rows are written for the sender, some seconds or minutes later."""
    uploaded_at: str | None = None
    started_at: str | None = None
    settled_at: str | None = None
    expected_since: str | None = None
    expected_until: str | None = None
    """Of a missing file: between these times, none came."""
    objects: int | None = None
    """Of ignored objects: how many there are. The notice is about one of them."""

    @property
    def is_mailed(self) -> bool:
        """Whether a person has to look at it."""
        has_rejects = self.kind is Kind.COMPLETE and bool(self.rows_rejected)
        return has_rejects or self.kind in (Kind.REJECTED, Kind.FAILED, Kind.MISSING)

    @property
    def time(self) -> str | None:
        """When it happened, if that is known."""
        return self.settled_at or self.expected_until

    def detail(self, pipeline: str, bucket: str) -> str:
        """The detail of the event: a JSON object."""
        about = {name: value for name, value in asdict(self).items() if name != "kind"}
        of_pipeline = {"stack": pipeline.partition(".")[0], "pipeline": pipeline, "bucket": bucket}
        return json.dumps(of_pipeline | about, ensure_ascii=False)

    def to_json(self) -> str:
        """A text that `from_json` reads."""
        return json.dumps({name: value for name, value in asdict(self).items() if value is not None})

    @classmethod
    def from_json(cls, text: str) -> "Notice":
        """What a later release has added is left out."""
        given = json.loads(text)
        known = {name: value for name, value in given.items() if name in {each.name for each in fields(cls)}}
        return cls(**known | {"kind": Kind(given["kind"])})


def about_counts(counts: RowCounts | None) -> dict[str, Any]:
    """The fields that count rows."""
    if counts is None:
        return {}
    names = ("rows_read", "rows_stored", "rows_rejected", "rows_superseded")
    return dict(zip(names, counts, strict=False))
