"""Write modes: all that depends on whether a feed keeps the rows of each upload, or one row per id."""

from collections.abc import Mapping

from csv_ingest.modes.append import Append
from csv_ingest.modes.base import WriteMode
from csv_ingest.modes.merge import Merge
from csv_ingest.modes.verdicts import Verdict, duplicate, is_duplicate

APPEND, MERGE = Append(), Merge()

MODES: Mapping[str, WriteMode] = {mode.name: mode for mode in (APPEND, MERGE)}
"""By the value of the setting `write_mode`. The first one is its default."""
