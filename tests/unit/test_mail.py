"""The mail about what a person has to look at."""

import pytest

from csv_ingest.notices.mail import digest
from csv_ingest.notices.notice import Kind, Notice

REJECTED = Notice(
    kind=Kind.REJECTED, feed="orders", object_key="a.csv", reason="not utf-8", settled_at="2026-11-28T05:00:00+00:00"
)


@pytest.mark.parametrize(
    ("notice", "lines"),
    [
        (REJECTED, ["REJECTED: a.csv", "  feed orders", "  not utf-8", "  next: csv-ingest status a.csv"]),
        (
            Notice(kind=Kind.FAILED, object_key="b c.csv", reason="RetriesExhausted: killed"),
            [
                "FAILED: b c.csv",
                "  RetriesExhausted: killed",
                "  next: csv-ingest redrive --dry-run '--prefix=b c.csv'",
            ],
        ),
        (
            Notice(kind=Kind.MISSING, feed="orders", reason="none came"),
            [
                "MISSING: a file of the feed orders",
                "  none came",
                "  next: ask the sender; csv-ingest history --feed orders",
            ],
        ),
        (
            Notice(kind=Kind.COMPLETE, object_key="-c.csv", rows_read=1_000, rows_rejected=2,
                   uploaded_at="2026-11-28T05:30:02.000+00:00", rejects_uri="s3://b/c.csv"),
            [
                "COMPLETE WITH REJECTED ROWS: -c.csv",
                "  uploaded 2026-11-28 05:30:02 UTC, 1,000 rows read, 2 rejected",
                "  the rejected rows: s3://b/c.csv",
                "  next: csv-ingest rejects -- -c.csv",
            ],
        ),
    ],
)  # fmt: skip
def test_a_mail_says_what_and_why_and_next(notice: Notice, lines: list[str]) -> None:
    assert digest([notice], pipeline="CsvIngest").text.splitlines()[2:] == lines


def test_commands_name_another_stack() -> None:
    assert "next: csv-ingest --stack CsvIngest-prod status a.csv" in digest([REJECTED], pipeline="CsvIngest-prod").text


def test_a_burst_is_cut_and_sorted() -> None:
    many = [Notice(kind=Kind.COMPLETE, object_key=f"{n}.csv", rows_rejected=1) for n in range(800)]
    mail = digest([*many, REJECTED], pipeline="CsvIngest")
    assert mail.subject == "csv-ingest CsvIngest: 1 rejected, 800 complete with rejected rows"
    assert mail.text.index("REJECTED: a.csv") < mail.text.index("0.csv")
    assert mail.text.endswith("and 751 more: csv-ingest status\n")
    assert len(mail.text.encode()) < 256_000


def test_other_peoples_text_steers_no_mail() -> None:
    notice = Notice(kind=Kind.FAILED, object_key="a\nSubject: x\u202e.csv", reason="\x1b[2J" + "x" * 5_000)
    mail = digest([notice], pipeline="CsvIngest")
    assert "a\\u000aSubject: x\\u202e.csv" in mail.text
    assert len(mail.text.splitlines()) == 5
    assert max(map(len, mail.text.splitlines())) < 1_300
    assert mail.subject.isascii()


def test_a_mail_fits_whatever_the_keys_are() -> None:
    notice = Notice(kind=Kind.REJECTED, object_key="\u200b" * 341, reason="\x01" * 2_000, rejects_uri="ü" * 1_000)
    mail = digest([notice] * 60, pipeline="CsvIngest")
    assert len(mail.text.encode()) < 256_000
    assert "more: csv-ingest status" in mail.text


def test_a_notice_of_a_later_release_is_mailed() -> None:
    assert Notice.from_json('{"kind": "CSV File Rejected", "object_key": "a.csv", "new": 1}').object_key == "a.csv"
