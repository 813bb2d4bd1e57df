"""What the ledger writes is what it reads, and what earlier versions wrote is read too."""

import json
from dataclasses import replace
from typing import Any

import pytest

from csv_ingest.ledger import FileRecord, items, keys, names
from csv_ingest.model import FileFormat, ObjectVersion, Owner, PartJob, PartStart, Phase, Plan, RejectedRow, RowCounts
from csv_ingest.settings import InvalidSetting

VERSION = ObjectVersion("uploads", "a.csv", "v1", "e1", 10)
SEMICOLONS = FileFormat("no", ";", "cp1252")
BY_FORMER_RULES = replace(SEMICOLONS, rules=1)


@pytest.mark.parametrize(
    "recorded",
    ['["no", ";", "cp1252"]', '{"id_column": "no", "delimiter": ";", "encoding": "cp1252"}'],
    ids=["a list, as the first releases wrote it", "an object"],
)
def test_both_recorded_shapes_of_a_format_are_read(recorded: str) -> None:
    counts: dict[str, Any] = {name: {"N": "0"} for name in names.SUMS}
    record = FileRecord.of({"format": {"S": recorded}, **counts})
    assert (record.format, record.counts) == (BY_FORMER_RULES, RowCounts())
    plan = items.plan_of({"format": {"S": recorded}, "columns": {"S": '["no"]'}, "parts": {"S": "[[0, 1], [5, 3]]"}})
    assert plan == Plan(BY_FORMER_RULES, ["no"], [PartStart(0, 1), PartStart(5, 3)])


def test_a_format_is_recorded_as_an_object() -> None:
    settings = {"id_column": "no", "delimiter": ";", "encoding": "cp1252"}
    assert json.loads(SEMICOLONS.to_text()) == settings | {"rules": 2}
    assert json.loads(BY_FORMER_RULES.to_text()) == settings


def test_a_format_with_an_unknown_field_is_an_error() -> None:
    with pytest.raises(InvalidSetting, match="colour: unknown to this release"):
        FileFormat.from_text('{"id_column": "no", "delimiter": ";", "encoding": "cp1252", "colour": "|"}')
    with pytest.raises(InvalidSetting, match="rules=3: unknown to this release"):
        FileFormat.from_text('{"id_column": "no", "delimiter": ";", "encoding": "cp1252", "rules": 3}')


@pytest.mark.parametrize("encoding", ["hz", "utf-16-le"])
def test_a_recorded_format_is_held_to_no_rule(encoding: str) -> None:
    recorded = FileFormat.from_text(json.dumps({"id_column": "no", "delimiter": ";", "encoding": encoding}))
    assert recorded.encoding == encoding


def test_a_plan_is_read_as_it_was_recorded() -> None:
    parts = [PartStart(0, 1), PartStart(5, 3)]
    plan = Plan(SEMICOLONS, ["no", "größe"], parts, "2026~1~v", delimiter="|", end_line=7)
    item = items.item_of_plan(keys.Entries(VERSION), plan, Owner())
    assert (item["object_key"], item["entry"]) == ({"S": "a.csv"}, {"S": "e1#plan"})
    assert items.plan_of(item) == plan


def test_a_rejected_row_is_read_as_it_was_recorded() -> None:
    item = items.item_of_reject("a.csv", "e1", RejectedRow(12, "no id"))
    assert item["entry"] == {"S": "e1#reject#000000000012"}
    assert items.reject_of(item) == RejectedRow(12, "no id")


@pytest.mark.parametrize(("phase", "entry"), [(Phase.STORE, "e1#part#000042"), (Phase.CHECK, "e1#check#000042")])
def test_a_part_has_an_entry_for_each_phase(phase: Phase, entry: str) -> None:
    key = keys.key_of_part(keys.Entries(VERSION), PartJob(42, phase))
    assert key["entry"] == {"S": entry}
    assert keys.number_of_part(key) == 42


@pytest.mark.parametrize("note", [{"BOOL": True}, {"NULL": True}, {"M": {}}, {"N": "1.5"}], ids=str)
def test_attributes_that_others_add_are_no_error(note: Any) -> None:
    record = FileRecord.of({"status": {"S": "COMPLETE"}, "size": {"N": "-7"}, "note": note, "write_mode": note})
    assert (record.status, record.attributes["size"]) == ("COMPLETE", -7)


def test_no_item_is_an_empty_record() -> None:
    assert FileRecord.of({}) == FileRecord()
