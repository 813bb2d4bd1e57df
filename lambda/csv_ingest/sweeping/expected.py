"""Since when uploads are expected in the ledger: those that were in the bucket before their feed are `backfill`'s."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from csv_ingest.intake import Taker
from csv_ingest.model import Upload

Times = Mapping[str, datetime]
"""The time for each prefix and suffix that the feeds have, or had: `<prefix>*<suffix>`."""


def known_and_new(known: Times, takers: Iterable[Taker], otherwise: datetime) -> dict[str, datetime]:
    """The known times, and another one for each prefix and suffix of the feeds that is new.

    A feed that is given a new prefix or suffix does not expect what was there before; but what a former one expected,
    it still does: an upload that was lost then would never be found.
    """
    rules = (f"{taker.prefix}*{suffix}" for taker in takers for suffix in taker.suffixes)
    return {**dict.fromkeys(rules, otherwise), **known}


def not_expired(expected: Times, takers: Iterable[Taker], days: Mapping[str, int | None]) -> dict[str, datetime]:
    """The same times but, of a feed that keeps something for some days only, none from before that.

    What is expected no more stays so, also if the days become more: records may be gone by then, and so may rows.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    since = {
        f"{taker.prefix}*{suffix}": now - timedelta(days=kept)
        for taker in takers
        for suffix in taker.suffixes
        if (kept := days.get(taker.feed)) is not None
    }
    return {rule: max(time, since.get(rule, time)) for rule, time in expected.items()}


def is_expected(expected: Times, upload: Upload, days: int | None) -> bool:
    """Whether an upload that a feed takes was made when it, or one with a former prefix and suffix, was there.

    And in the last `days`, if that is a number: of an older one, the rows would have expired, or the record. A
    multipart upload counts from when it began, since S3 says nothing of its end.
    """
    if is_too_old(upload, days):
        return False
    return any(upload.modified >= since for rule, since in expected.items() if _has(upload.version.key, rule))


def is_too_old(upload: Upload, days: int | None) -> bool:
    """Whether an upload was made more than `days` ago, if that is a number."""
    return days is not None and upload.modified <= datetime.now(UTC) - timedelta(days=days)


def _has(key: str, rule: str) -> bool:
    prefix, _, suffix = rule.partition("*")
    return key.startswith(prefix) and key.endswith(suffix)
