"""What a run of the sweep leaves for the next run."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, Literal

from csv_ingest.intake import Intake
from csv_ingest.listing import Marker
from csv_ingest.sweeping.expected import Times, known_and_new, not_expired

ALL_ASKED_WITHIN = timedelta(hours=20)
"""The scans of so much time ask the ledger about every upload: of a day, if one of them is late."""

MAX_REMEMBERED = 5_000
"""Unsettled uploads of a scan whose deliveries are counted: two scans of them fit into an item of 400 KB."""


@dataclass(kw_only=True)
class Scan:
    """How far one scan of the bucket came, and what it found: all of it once the scan is complete."""

    began: datetime
    before: datetime
    """It looks at uploads from before this time."""
    after: Marker | None = None
    """The version after which it goes on; None: at the first."""
    listed: int = 0
    """How many uploads it has listed."""
    unsettled: int = 0
    ignored: int = 0
    """How many objects that no feed takes."""
    share_from: str = ""
    """After this key, and up to `share_to`, it asks the ledger about every upload, however old: its share of all."""
    share_to: str = ""
    share: int = 0
    """How many uploads that are, about."""
    asked: int = 0
    """How many of them it has asked about."""
    tries: dict[str, int] = field(default_factory=dict)
    """How often the sweep has delivered an unsettled upload, by a digest of its key and version."""
    has_forgotten: bool = False
    """Whether there were more of them than it remembers: the next scan asks about every upload."""

    def takes(self, key: str) -> bool:
        """Whether the next upload is in this scan's share of all; the versions of a key are in one share."""
        is_in_share = key > self.share_from and (self.asked < self.share or key == self.share_to)
        if is_in_share:
            self.asked += 1
            self.share_to = key
        return is_in_share

    def note_delivery(self, digest: str) -> None:
        """Count a delivery of an unsettled upload."""
        self.tries[digest] = self.tries.get(digest, 0) + 1

    def remember(self, digest: str, tries: int) -> None:
        """Note how often an unsettled upload was delivered; of too many, those are forgotten that never were."""
        self.tries[digest] = tries
        if len(self.tries) > 2 * MAX_REMEMBERED:
            self.forget_surplus()

    def forget_surplus(self) -> None:
        """Keep what the checkpoint has room for."""
        if len(self.tries) > MAX_REMEMBERED:
            most = sorted(self.tries.items(), key=lambda item: item[1], reverse=True)
            self.tries, self.has_forgotten = dict(most[:MAX_REMEMBERED]), True


@dataclass(kw_only=True)
class Checkpoint:
    """What was found so far, and where the next run goes on."""

    bucket: str = ""
    """Which bucket this is about."""
    run_began: datetime | None = None
    """The last run; None before the first."""
    expected: Times = field(default_factory=dict)
    """Since when uploads are expected."""
    completed_at: datetime | None = None
    """When the last scan was complete; before there is one, when the first run began."""
    last: Scan | None = None
    """The last scan that is complete."""
    scan: Scan | None = None
    """The scan that is not."""

    def begin_run(
        self,
        intake: Intake,
        *,
        bucket: str,
        now: datetime,
        before: datetime,
        deployed_at: datetime,
        days: Mapping[str, int | None],
        always_asked: int,
    ) -> Scan:
        """The scan of a run: the one that is not complete, if bucket and feeds are the same as then, or a new one.

        `days` has after how many days a feed does not expect an upload any more.
        """
        times = self._known(intake, bucket=bucket, deployed_at=deployed_at)
        if bucket != self.bucket:
            self.bucket, self.last, self.scan = bucket, None, None
        if self.scan is None or times != self.expected:
            self.scan = self._new_scan(now, before, always_asked)
        self.completed_at = self.completed_at or now
        # In whole seconds, like the times of objects.
        self.expected, self.run_began = not_expired(times, intake.takers, days), now.replace(microsecond=0)
        return self.scan

    def expected_of(
        self, intake: Intake, *, bucket: str, deployed_at: datetime, days: Mapping[str, int | None]
    ) -> Times:
        """Since when uploads to a bucket are expected, also for a feed that no run has known: since the last run."""
        return not_expired(self._known(intake, bucket=bucket, deployed_at=deployed_at), intake.takers, days)

    def _known(self, intake: Intake, *, bucket: str, deployed_at: datetime) -> Times:
        known = self.expected if bucket == self.bucket else {}
        return known_and_new(known, intake.takers, self.run_began or deployed_at)

    def _new_scan(self, now: datetime, before: datetime, always_asked: int) -> Scan:
        if not (last := self.last):
            return Scan(began=now, before=before, share=always_asked)
        share = last.listed if last.has_forgotten else int(last.listed * ((now - last.began) / ALL_ASKED_WITHIN))
        return Scan(began=now, before=before, share_from=last.share_to, share=max(always_asked, share))

    def end_scan(self, now: datetime) -> None:
        """Note that the scan has come to the end of the bucket."""
        self.completed_at = now
        if self.scan and self.scan.asked < self.scan.share:
            self.scan.share_to = ""  # the next share begins with the first upload
        self.last, self.scan = self.scan, None

    def known(self, number: Literal["unsettled", "ignored"]) -> int:
        """What the last scan has counted, and not less while the next one runs: that would be taken for good news.

        Before the first is complete, what it has counted so far.
        """
        numbers: list[int] = [getattr(scan, number) for scan in (self.last, self.scan) if scan]
        return max(numbers, default=0)

    def to_json(self) -> str:
        for scan in filter(None, (self.last, self.scan)):
            scan.forget_surplus()
        return json.dumps(asdict(self), default=datetime.isoformat, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Checkpoint":
        """What `to_json` wrote, in any release; empty for text that is something else.

        Without a checkpoint, uploads are expected since the ledger was made, and the ledger is asked about all of them.
        """
        try:
            values = json.loads(text)
            return cls(
                bucket=values.get("bucket", ""),
                run_began=_time(values["run_began"]),
                expected={rule: datetime.fromisoformat(time) for rule, time in values["expected"].items()},
                completed_at=_time(values.get("completed_at")),
                last=_scan(values["last"]),
                scan=_scan(values["scan"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls()


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _scan(values: dict[str, Any] | None) -> Scan | None:
    if not values:
        return None
    times = {name: datetime.fromisoformat(values[name]) for name in ("began", "before")}
    after = Marker(*values["after"]) if values["after"] else None
    known = {each.name for each in fields(Scan)}
    return Scan(**{**{name: value for name, value in values.items() if name in known}, **times, "after": after})
