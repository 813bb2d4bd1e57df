"""When a file of a feed has to have come, also where clocks change."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csv_ingest.feed import Feed
from csv_ingest.model import Expectation
from csv_ingest.settings import InvalidSetting


@pytest.mark.parametrize(
    ("expect", "now", "since", "until"),
    [
        ("daily 06:00 Europe/Berlin", "2026-11-28T05:00", "2026-11-27T05:00", "2026-11-28T05:00"),
        ("daily 06:00 Europe/Berlin", "2026-11-28T04:59", "2026-11-26T05:00", "2026-11-27T05:00"),
        ("daily 06:00 Europe/Berlin", "2026-07-01T04:00", "2026-06-30T04:00", "2026-07-01T04:00"),
        # The clock goes forward on 29 March 2026 at 02:00, and back on 25 October at 03:00.
        ("daily 06:00 Europe/Berlin", "2026-03-29T12:00", "2026-03-28T05:00", "2026-03-29T04:00"),
        ("daily 02:30 Europe/Berlin", "2026-03-29T12:00", "2026-03-28T01:30", "2026-03-29T01:30"),
        ("daily 02:30 Europe/Berlin", "2026-10-25T12:00", "2026-10-24T00:30", "2026-10-25T00:30"),
        ("daily 23:30 America/Los_Angeles", "2026-11-28T08:00", "2026-11-27T07:30", "2026-11-28T07:30"),
        ("weekdays 18:30 UTC", "2026-11-30T18:29", "2026-11-26T18:30", "2026-11-27T18:30"),
        ("weekdays 18:30 UTC", "2026-11-30T18:30", "2026-11-27T18:30", "2026-11-30T18:30"),
        ("monday 00:00 Pacific/Auckland", "2026-11-29T11:00", "2026-11-22T11:00", "2026-11-29T11:00"),
        ("hourly", "2026-11-28T05:59", "2026-11-28T04:00", "2026-11-28T05:00"),
    ],
)
def test_a_file_is_expected_between_two_times(expect: str, now: str, since: str, until: str) -> None:
    found = Expectation.parse(expect).window(datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert [f"{time:%Y-%m-%dT%H:%M}" for time in found] == [since, until]


@given(
    st.sampled_from(["hourly", "daily 02:30 Europe/Berlin", "weekdays 00:00 America/New_York", "sunday 23:59 UTC"]),
    st.datetimes(datetime(2025, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_windows_follow_each_other_without_a_gap(expect: str, now: datetime) -> None:
    expectation = Expectation.parse(expect)
    last = expectation.window(now)
    assert last.since < last.until <= now
    assert expectation.window(last.until) == last
    assert expectation.window(last.until - timedelta(microseconds=1)).until == last.since


@pytest.mark.parametrize(
    "expect",
    ["", "daily", "daily 6:00 UTC", "daily 24:00 UTC", "daily 06:60 UTC", "daily 06:00", "daily 06:00 Europe",
     "daily 06:00 CET/Nowhere", "weekly 06:00 UTC", "hourly UTC", "Daily 06:00 UTC"],
)  # fmt: skip
def test_what_is_no_expectation_is_refused(expect: str) -> None:
    with pytest.raises(InvalidSetting, match=r"^setting expect=.*: allowed is hourly, or daily, weekdays or a day"):
        Feed(expect=expect)


@pytest.mark.parametrize(
    "place", ["s3://bucket", "s3://bucket/", "s3://bucket/prefix", "prefix", "/", "//", "S3://b/p/"]
)
def test_rejected_rows_go_below_a_prefix(place: str) -> None:
    with pytest.raises(InvalidSetting, match=r"^setting rejects_to="):
        Feed(rejects_to=place)
