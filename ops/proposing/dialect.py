"""Which characters a file is made with: the delimiter, the quote and the escape character."""

import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import clevercsv

from csv_ingest import csvfile
from csv_ingest.csvfile.records import said_delimiter
from csv_ingest.model import DELIMITERS, FileFormat, UnreadableFile

from . import kinds

MAX_LINES, MAX_CHARACTERS = 200, 200_000
"""Of the beginning of each file, that are looked at: clevercsv takes a time that grows with the square of them."""

OTHERS = ("~", "^")
"""Delimiters beside those that have a word."""


class Sample(NamedTuple):
    """The beginning of a file."""

    text: str
    is_cut: bool


class Verdict(NamedTuple):
    """How well a dialect reads the samples; the larger, the better."""

    is_whole: bool
    has_columns: bool
    even: float
    """The share of records of the usual width, less the share of cells that seem to be several."""
    width: int


class Dialect(NamedTuple):
    """The characters of a feed, and how that is known."""

    format: FileFormat
    why: str


def sample(open_: csvfile.Open, encoding: str) -> Sample:
    """The first lines of a file. Raises UnreadableFile."""
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    with open_(0) as stream:
        text = io.TextIOWrapper(stream, encoding=codec, errors="replace", newline="")
        lines = list(islice(text, MAX_LINES))
        return Sample("".join(lines).lstrip("\ufeff")[:MAX_CHARACTERS], bool(text.readline()))


def find(samples: Sequence[Sample]) -> Dialect:
    """The dialect by which most records of the samples have the same number of fields."""
    said = said_delimiter(samples[0].text.partition("\n")[0], FileFormat())
    delimiters = (said,) if said else (*DELIMITERS.values(), *OTHERS)
    formats = list(_formats(samples, delimiters))
    verdicts = {format_: _verdict(format_, samples) for format_ in formats}
    ours = max(formats, key=verdicts.__getitem__)
    if said:
        return Dialect(ours, "the first line says it")
    theirs = _of_clevercsv(samples[0].text, delimiters)
    if theirs:
        preferred = [each for each in formats if each.delimiter == theirs and verdicts[each] == verdicts[ours]]
        ours = ours if ours in preferred or not preferred else preferred[0]
    agrees = theirs == ours.delimiter
    verdict = verdicts[ours]
    opinion = "clevercsv says so, too" if agrees else "clevercsv is not sure, or says another one"
    if not verdict.has_columns:
        return Dialect(FileFormat(), "no delimiter is found: the file seems to have one column")
    return Dialect(ours, f"the usual record has {verdict.width} fields; {opinion}")


def _formats(samples: Sequence[Sample], delimiters: Sequence[str]) -> Iterator[FileFormat]:
    """The usual ones first: of those that read the samples equally well, the first is taken."""
    text = "".join(each.text for each in samples)
    for delimiter in delimiters:
        if delimiter not in text and len(delimiters) > 1:
            continue
        quotes = ["'"] if _has_single_quotes(text, delimiter) else ['"', ""]
        for quote in quotes:
            yield FileFormat(delimiter=delimiter, quote=quote)
            if (quote and f"\\{quote}" in text) or f"\\{delimiter}" in text:
                yield FileFormat(delimiter=delimiter, quote=quote, escape="\\")
            if quote and re.search(rf"{re.escape(delimiter)} +{quote}", text):
                yield FileFormat(delimiter=delimiter, quote=quote, trim=True)
    yield FileFormat()


def _has_single_quotes(text: str, delimiter: str) -> bool:
    """Whether more cells are enclosed in apostrophes than in quotes, and at least one in every other line."""
    single, double = (len(_enclosed(quote, delimiter).findall(text)) for quote in ("'", '"'))
    return single * 2 > max(text.count("\n"), double * 2)


def _enclosed(quote: str, delimiter: str) -> re.Pattern[str]:
    between = re.escape(delimiter)
    cell = rf"{quote}(?:[^{quote}]|{quote}{quote})*{quote}"
    return re.compile(rf"(?:^|(?<={between})){cell}(?={between}|\r?$)", re.MULTILINE)


def _verdict(format_: FileFormat, samples: Sequence[Sample]) -> Verdict:
    records, is_whole = [], True
    for each in samples:
        reader = csvfile.read_records(io.BytesIO(each.text.encode("utf-8")), format_)
        try:
            for _, cells in reader:
                records.append(cells)
        except UnreadableFile as error:
            is_whole = is_whole and each.is_cut and "quote left open" in str(error) and len(records) * 4 > MAX_LINES
    widths = Counter(len(cells) for cells in records if len(cells) > 1)
    if not widths:
        return Verdict(is_whole, has_columns=False, even=0.0, width=1)
    width, count = widths.most_common(1)[0]
    cells = [cell for record in records if len(record) == width for cell in record]
    dirty = sum(_is_several(cell, format_) for cell in cells) / len(cells)
    return Verdict(is_whole, has_columns=True, even=round(count / len(records) * (1 - dirty), 2), width=width)


def _is_several(cell: str, format_: FileFormat) -> bool:
    """Whether a cell seems to have another delimiter, or a quote, in it."""
    others = (each for each in DELIMITERS.values() if each != format_.delimiter)
    has_other = kinds.kind(cell) in (kinds.WORD, kinds.CODE) and any(
        re.search(rf"\S{re.escape(each)}\S", cell) for each in others
    )
    return has_other or (not format_.quote and cell[:1] == cell[-1:] == '"')


def _of_clevercsv(text: str, delimiters: Sequence[str]) -> str | None:
    """The delimiter that clevercsv proposes; None if it is not sure, or does not read such a text."""
    try:
        found = clevercsv.Sniffer().detect(text, delimiters=list(delimiters))
    except (clevercsv.exceptions.NoDetectionResult, clevercsv.exceptions.Error):
        return None
    return found.delimiter if found else None
