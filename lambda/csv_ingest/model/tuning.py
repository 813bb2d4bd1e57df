"""Sizes that were chosen by measuring."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """Sizes that were chosen by measuring, not by users; tests make them small."""

    block_bytes: int = 128 * 1024
    """How many bytes the splitter examines together. A part ends with the last line end of a block."""

    part_bytes: int = 1 << 20
    part_lines: int = 5_000
    """A part ends in the block in which it reaches either size.

    Fifty invocations that share the 4,000 writes a second of a new table have 80 each, so that a part of this size is
    written within Lambda's three attempts (3 times 28 seconds). A part costs eight requests beside the two hundred of
    its rows.
    """

    whole_parts: int = 4
    """How many parts a file may have that one delivery ingests whole: some 20,000 rows, or 4 MB."""

    begun_planned_bytes: int = 256 * 1024
    """The size of a file that is recorded as begun only with its plan, which saves a request and a write."""

    max_rejects: int = 10_000
    """How many rejected rows of a file are recorded one by one, at most. They share one partition of the ledger."""

    max_parts: int = 10_000
    """How many parts a file may have: 10 GB. Their plan, with the column names, fits into one item of 400 KB."""

    batch_rows: int = 1_000
    """Rows in one request to a destination, if it takes as many."""

    checkpoint_rows: int = 1_000
    """Rows between two checkpoints. The retry of a killed delivery repeats at most so many, and what was in flight. A
    checkpoint is one request."""

    in_flight: int = 4
    """How many requests to the destination are made at the same time: answering a request takes longer than making it.
    docs/benchmarks.md compares 1, 2, 4 and 8."""

    @property
    def whole_bytes(self) -> int:
        """The size of a file that one delivery ingests whole, from memory."""
        return self.whole_parts * self.part_bytes

    @property
    def whole_lines(self) -> int:
        """The lines that such a file may have."""
        return self.whole_parts * self.part_lines
