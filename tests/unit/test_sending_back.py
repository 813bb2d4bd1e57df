"""Rejected rows are written as their feed reads them."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csv_ingest import csvfile, sending_back
from csv_ingest.model import FileFormat

FORMATS = {
    "commas": FileFormat(),
    "another quote": FileFormat(delimiter=";", quote="'"),
    "escaped": FileFormat(delimiter="tab", escape="\\"),
    "escaped without quotes": FileFormat(delimiter="tab", quote="", escape="\\"),
    "lines above and below": FileFormat(header="3", footer_records=2, delimiter="|"),
}
CELLS = st.lists(st.text(st.sampled_from("ab ,;|\t'\"\\\r\n"), max_size=4), min_size=2, max_size=2)


@pytest.mark.parametrize("name", FORMATS)
@given(rows=st.lists(CELLS, min_size=1, max_size=3))
def test_what_is_written_reads_as_it_was(name: str, rows: list[list[str]]) -> None:
    format_ = FORMATS[name]
    rows = [["x", *cells] for cells in rows]
    text = io.StringIO(newline="")
    write = sending_back.writer(text, format_)
    sending_back.begin(text, format_)
    for cells in (["id", "a", "b"], *rows):
        write(cells)
    sending_back.end(write, format_)
    table = csvfile.read_table(io.BytesIO(text.getvalue().encode()), format_)
    assert list(table.header) == ["id", "a", "b"]
    read = [cells for _, cells in table.records]
    assert read[: len(rows)] == rows
    assert len(read) == len(rows) + format_.footer_records
