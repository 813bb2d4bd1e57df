"""Since when uploads are expected in the ledger: those that were in the bucket before their feed are `backfill`'s."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from csv_ingest.intake import Taker
from csv_ingest.model import Upload


def times(takers: Iterable[Taker], known: Mapping[str, datetime], otherwise: datetime) -> dict[str, datetime]:
    """The time for each prefix and suffix of the feeds: the one that is known, or else the other.

    By prefix and suffix, so that a feed that is given another one does not expect what was there before.
    """
    rules = (_rule(taker.prefix, suffix) for taker in takers for suffix in taker.suffixes)
    return {rule: known.get(rule, otherwise) for rule in rules}


def since(expected: Mapping[str, datetime], taker: Taker, key: str) -> datetime:
    """The time for a key that a feed takes, of the result of `times`."""
    return min(expected[_rule(taker.prefix, suffix)] for suffix in taker.suffixes if key.endswith(suffix))


def is_expected(expected: Mapping[str, datetime], taker: Taker, upload: Upload) -> bool:
    """Whether an upload that a feed takes was made when the feed was there.

    A multipart upload counts from when it began, since S3 says nothing of its end.
    """
    return upload.modified >= since(expected, taker, upload.version.key)


def _rule(prefix: str, suffix: str) -> str:
    return f"{prefix}*{suffix}"
