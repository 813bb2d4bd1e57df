"""From the cells of a record to the JSON object that a row has of the columns without a type. Pure."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import lru_cache
from json.encoder import encode_basestring
from operator import itemgetter

from csv_ingest.csvfile.header import Header

REMEMBERED_TEMPLATES = 100
"""Per file. They differ by the columns without a name that are filled."""

WriteData = Callable[[Sequence[str], int], str]
"""Writes the cells of a record as a JSON object. Gets the record, and how many of its cells the file has."""


def data_maker(header: Header, *, left_out: set[int]) -> WriteData:
    """The function that writes the cells of a record, but for some columns.

    A column without a name is in the object only if its cell is not empty.
    """
    names = header.unique
    nameless = [place for place in header.nameless if place not in left_out]
    usual = _writer(names, left_out.union(nameless))
    if not nameless:
        return usual

    @lru_cache(REMEMBERED_TEMPLATES)
    def writer(filled: tuple[int, ...]) -> WriteData:
        return _writer(names, left_out.union(nameless).difference(filled))

    def write(record: Sequence[str], given: int) -> str:
        # A record of two cells can be one of thousands of columns, of which those that are missing are not looked at.
        some = nameless if given == len(record) == len(names) else nameless[: bisect_left(nameless, given)]
        filled = tuple(place for place in some if record[place])
        return writer(filled)(record, given) if filled else usual(record, given)

    return write


def _writer(names: Sequence[str], left_out: Collection[int]) -> WriteData:
    kept = [place for place in range(len(names)) if place not in left_out]
    # As json.dumps writes a dict, in a fifth of its time: the names are the same in each row.
    written = (encode_basestring(names[place]) for place in kept)
    template = "{" + ",".join(f"{name}:".replace("%", "%%") + "%s" for name in written) + "}"
    if len(kept) == len(names):
        return lambda record, _given: template % tuple(map(encode_basestring, record))
    cells_of = _getter(kept)
    return lambda record, _given: template % tuple(map(encode_basestring, cells_of(record)))


def _getter(places: Sequence[int]) -> Callable[[Sequence[str]], Iterable[str]]:
    """The function that takes the cells in some places of a record; a wide record can have few of them."""
    return itemgetter(*places) if len(places) > 1 else lambda record: [record[place] for place in places]
