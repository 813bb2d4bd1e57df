"""Files as vendors send them, with what has to become of each: tests/vendors, whose results were made by hand."""

import json
import unicodedata
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, cast

import pytest

from csv_ingest.feed import FORMAT_SETTINGS
from csv_ingest.model import Column, Tuning
from local.processes import PROJECT
from tests.integration.invoking import Invocations, version_of
from tests.integration.parts import deliver_all
from tests.integration.rows import by_value
from tests.integration.settings import set_feed
from tests.integration.world import World

FOLDER = PROJECT / "tests/vendors"
FEEDS, EXPECTED = (json.loads((FOLDER / f"{name}.json").read_text("utf-8")) for name in ("feeds", "expected"))

OF_ROW = ("pk", "etag", "line", "data", "uploaded")

IN_PARTS = Tuning(block_bytes=7, part_lines=2, part_bytes=20, whole_parts=0)
"""Each line can be a part of its own, and each quote and escape be cut in two."""


WORLDS = [
    pytest.param(feed, tuning, " ".join([destination, *["merge"] * (FEEDS[feed].get("write_mode") == "merge")]))
    for feed in FEEDS
    for destination, tuning in (("dynamodb", IN_PARTS), ("postgresql", Tuning()))
]
"""Cells and records are read before a destination sees them, so that each destination has one way of reading."""


@pytest.mark.parametrize(("feed", "tuning", "world"), WORLDS, indirect=["world"])
def test_files_become_what_they_should(world: World, queue: Invocations, feed: str, tuning: Tuning) -> None:
    _configure(world, FEEDS[feed])
    world = world.tuned(**vars(tuning))
    wrong = {}
    for key in (key for key in EXPECTED if key.startswith(f"{feed}/")):
        event = world.ingest(key, (FOLDER / key).read_bytes())
        deliver_all(world, queue)
        if problems := list(_differences(world, key, version_of(event).etag)):
            wrong[key] = problems
    assert wrong == {}


def _configure(world: World, settings: Mapping[str, Any]) -> None:
    for name, declaration in settings.get("columns", {}).items():
        column = Column.parse(name, declaration)
        world.default_rows.declare(column.stored_as, column.type)
    of_feed = {"write_mode", "max_file_mb", *FORMAT_SETTINGS}
    set_feed(**{name: value for name, value in settings.items() if name in of_feed})


def _differences(world: World, key: str, etag: str) -> Iterator[object]:
    expected, record = EXPECTED[key], world.file(key)
    stored = [item for item in world.default_rows.items().values() if item["etag"]["S"] == etag]
    if record["status"] != expected["status"]:
        yield record["status"], record.get("reason")
    elif expected["status"] == "REJECTED":
        yield from _wrong_reason(record["reason"], expected)
        yield from stored
    else:
        yield from _wrong_rejects(dict(world.rejects(key)), expected["rejected"])
        yield from _wrong_rows({int(item["line"]["N"]): item for item in stored}, expected["rows"].values())
        read = len(expected["rows"]) + len(expected["rejected"]) + expected.get("stored_twice", 0)
        if (record["rows_read"], record["rows_rejected"]) != (read, len(expected["rejected"])):
            yield record


def _wrong_reason(reason: str, expected: Mapping[str, Any]) -> Iterator[str]:
    if not _says(reason, expected["reason"]) or ("reason_not" in expected and _says(reason, expected["reason_not"])):
        yield reason


def _wrong_rejects(found: Mapping[int, str], expected: Mapping[str, Any]) -> Iterator[object]:
    for line in sorted({*found, *map(int, expected)}):
        if line not in found or str(line) not in expected or not _says(found[line], expected[str(line)]):
            yield line, found.get(line)


def _wrong_rows(found: Mapping[int, Any], expected: Any) -> Iterator[object]:
    left = dict(found)
    for row in expected:
        item = by_value(left.pop(row["line"], {}))
        data = json.loads(item["data"]["S"]) if item else {}
        wanted = {name: _long(value) for name, value in row.items() if name not in OF_ROW}
        values = {name: _plain(value) for name, value in item.items() if name not in OF_ROW}
        numbers = {
            name: Decimal(wanted[name]) for name in values if isinstance(values[name], Decimal) and name in wanted
        }
        if values != wanted | numbers or not _has_data(data, row["data"]):
            yield row["line"], values, data
    yield from left.items()


def _has_data(data: Mapping[str, str], wanted: Mapping[str, Any]) -> bool:
    """Whether an object has these cells; under a name that begins with `?`, any other name may have them."""
    named = {name: _long(value) for name, value in wanted.items() if not name.startswith("?")}
    made_up = sorted(_long(value) for name, value in wanted.items() if name.startswith("?"))
    others = sorted(value for name, value in data.items() if name not in named)
    return {name: value for name, value in data.items() if name in named} == named and others == made_up


def _plain(value: Any) -> Any:
    return next(iter(value.values())) if isinstance(value, dict) else Decimal(value)


def _long(value: Any) -> str:
    return str(value["repeat"][0] * value["repeat"][1]) if isinstance(value, dict) else cast("str", value)


def _says(reason: str, wanted: str | list[str]) -> bool:
    def folded(text: str) -> str:
        return unicodedata.normalize("NFC", text).casefold()

    return any(folded(text) in folded(reason) for text in ([wanted] if isinstance(wanted, str) else wanted))
