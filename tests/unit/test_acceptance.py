"""Which files are accepted, by what their rows would become, and what the worst accepted file costs."""

import io
from contextlib import nullcontext, suppress

import pytest
from hypothesis import given, settings, target
from hypothesis import strategies as st

from csv_ingest import csvfile
from csv_ingest.acceptance import Acceptance, MaxRejected
from csv_ingest.csvfile import CountingStream
from csv_ingest.destinations.dynamodb_items import item_size
from csv_ingest.model import FileFormat, ObjectVersion, Origin, Row, Tuning, UnreadableFile
from csv_ingest.modes import APPEND
from csv_ingest.planning import Planned, plan_file

FORMAT = FileFormat("id", ",", "utf-8")
ORIGIN = Origin("0" * 32)


def plan(content: str, max_rejected: str | None = "50%", tuning: Tuning = Tuning()) -> Planned:  # noqa: B008 - it is immutable
    body = content.encode()
    version = ObjectVersion("b", "a.csv", "v", ORIGIN.etag, len(body))
    acceptance = Acceptance(1_000_000_000, MaxRejected.parse(max_rejected), lambda _row: None)
    return plan_file(
        version,
        FORMAT,
        lambda start: nullcontext(CountingStream(io.BytesIO(body[start:]))),
        acceptance=acceptance,
        tuning=tuning,
    )


def rows(good: int, bad: int) -> str:
    return "id,name\n" + "".join(f"{n},a\n" for n in range(good)) + ",no id\n" * bad


@pytest.mark.parametrize(
    ("max_rejected", "good", "bad", "is_accepted"),
    [
        ("50%", 0, 100, True),
        ("50%", 0, 101, False),
        ("50%", 101, 101, True),
        ("50%", 100, 101, False),
        ("100%", 0, 1_000, True),
        ("0%", 1_000, 101, False),
        ("0", 1_000, 0, True),
        ("0", 1_000, 1, False),
        ("7", 0, 7, True),
        ("7", 1_000, 8, False),
        (None, 0, 1_000, True),
    ],
)
def test_a_file_with_too_many_rejected_rows_is_rejected(
    max_rejected: str | None, good: int, bad: int, is_accepted: bool
) -> None:
    if is_accepted:
        assert len(plan(rows(good, bad), max_rejected).rows or []) == good + bad
        return
    with pytest.raises(UnreadableFile) as error:
        plan(rows(good, bad), max_rejected)
    assert f"of the first {good + bad:,} rows, {bad:,} would be rejected, and max_rejected={max_rejected}" in str(
        error.value
    )
    assert f"line {good + 2:,}: no id" in str(error.value)


def test_five_reasons_are_told() -> None:
    with pytest.raises(UnreadableFile, match=r"line 2: no id; .*; line 6: no id: correct the file, or the settings"):
        plan(rows(0, 200))


def test_ids_that_are_not_unique_reject_the_file() -> None:
    """A column that identifies nothing was taken for the id."""
    with pytest.raises(UnreadableFile, match="line 3: duplicate id: line 2 has it with different values"):
        plan("id,name\n" + "".join(f"same,{n}\n" for n in range(200)))


def test_a_large_file_is_judged_by_its_first_part() -> None:
    small_parts = Tuning(part_lines=300, whole_parts=1, block_bytes=64)
    with pytest.raises(UnreadableFile, match="of the first 300 rows, 300 would be rejected"):
        plan(rows(0, 1_000), tuning=small_parts)
    assert len(plan(rows(300, 1_000), tuning=small_parts).plan.parts) > 1


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("id," + "x" * 256, "the name of column 2 has 256 characters, and 255 are allowed"),
        (",".join(["id", *(f"{n:0>200}" for n in range(500))]), "the names of the 501 columns have 102,006 characters"),
    ],
)
def test_names_that_are_too_long_are_told(header: str, reason: str) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        plan(f"{header}\n")


@pytest.mark.parametrize(
    ("columns", "name", "filled"),
    [(20, 10, 20), (50, 14, 10), (150, 15, 2), (150, 30, 60), (50, 80, 50), (1_000, 5, 1_000)],
)
def test_a_wide_file_with_few_filled_cells_is_accepted(columns: int, name: int, filled: int) -> None:
    header = ",".join(["id", *(f"{n:c>{name}}" for n in range(columns))])
    row = ",".join(["x"] * filled + [""] * (columns - filled))
    assert plan(header + "\n" + "".join(f"{n},{row}\n" for n in range(1_000))).rows


def test_names_out_of_proportion_to_the_file_are_told() -> None:
    header = ",".join(["id", *(f"{n:x>200}" for n in range(100))])
    with pytest.raises(UnreadableFile, match="which is out of proportion to the file: the names of the columns"):
        plan(header + "\n" + f"1{',' * 100}\n" * 2_000)


names = st.integers(1, 300)
cells = st.sampled_from(["", "a", "\x01" * 8, "é" * 4, "x" * 40])


@settings(max_examples=300)
@given(
    widths=st.lists(names, max_size=60),
    row=st.lists(cells, max_size=60),
    bad=st.booleans(),
    repeats=st.integers(1, 3_000),
)
def test_no_accepted_file_costs_out_of_proportion(widths: list[int], row: list[str], bad: bool, repeats: int) -> None:
    """Beside 10,000 units per file, one per record, and sixteen per KB: the search looks for the worst file."""
    header = ",".join(["id", *(f"{n:x>{width}}" for n, width in enumerate(widths))])
    given_cells = (row + [""] * len(widths))[: len(widths)]
    lines = "".join(",".join(["" if bad else str(n), *given_cells]) + "\n" for n in range(repeats))
    content = f"{header}\n{lines}"
    with suppress(UnreadableFile):
        found = plan(content, None).rows
        assert found is not None
        units = sum(-(-item_size(APPEND, ORIGIN, each) // 1_024) if isinstance(each, Row) else 1 for each in found)
        allowed = 10_000 + len(found) + 16 * len(content.encode()) / 1_024
        target(units / allowed)
        assert units <= allowed


def test_the_rows_of_a_small_file_are_kept() -> None:
    content = rows(300, 3)
    found = plan(content)
    assert found.rows == list(csvfile.read_rows(io.BytesIO(content.encode()), FORMAT))
    assert plan(content, tuning=Tuning(part_lines=10)).rows is None
