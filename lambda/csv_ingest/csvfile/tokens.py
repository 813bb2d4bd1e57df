r"""Records of dialects that the csv module cannot read: with an escape character, or with spaces around quotes. Pure.

Python's csv module reads an escaped letter as the letter, so that `\N` is `N`, and loses an escaped line end.
"""

import csv
import re
from collections.abc import Iterator

from csv_ingest.model import FileFormat

SPACES = " \t\u00a0\u2007\u202f"
"""What `trim` leaves out around cells."""

NULL = "N"
"""The character that makes, after the escape character, a whole cell null."""


class BadEscape(list[str]):
    """The cells of a record in which the escape character stands before another character than it may."""

    def __init__(self, cells: list[str], column: int) -> None:
        super().__init__(cells)
        self.column = column
        """The number of the first such cell, from 1."""


class Tokens:
    """Yields the cells of each record of some lines, none for a blank line. As strict as the csv module in strict mode.

    Raises csv.Error.
    """

    def __init__(self, lines: Iterator[str], format_: FileFormat) -> None:
        self._lines = lines
        self._delimiter, self._quote, self._escape = format_.delimiter, format_.quote, format_.escape
        self._is_trimmed = format_.trim
        self._spaces = SPACES.replace(format_.delimiter, "") if format_.trim else ""
        special = re.escape(self._escape)
        self._bare = re.compile(rf"[^{re.escape(self._delimiter)}{special}\r\n]*")
        self._quoted = re.compile(rf"[^{re.escape(self._quote)}{special}]*") if self._quote else self._bare
        self._blank = re.compile(f"[{self._spaces}]*") if self._spaces else None
        self._line, self._at = "", 0
        self._is_bad = False

    def __iter__(self) -> Iterator[list[str]]:
        for line in self._lines:
            if (self._quote and self._quote in line) or (self._escape and self._escape in line):
                yield self._record(line)
            elif text := line.rstrip("\r\n"):
                yield self._stripped(text.split(self._delimiter))
            else:
                yield []

    def _stripped(self, cells: list[str]) -> list[str]:
        return [cell.strip(self._spaces) for cell in cells] if self._is_trimmed else cells

    def _record(self, line: str) -> list[str]:
        """The cells of a record that begins with a line."""
        self._line, self._at = line, 0
        cells: list[str] = []
        first_bad = 0
        while True:
            self._is_bad = False
            cells.append(self._cell())
            if self._is_bad and not first_bad:
                first_bad = len(cells)
            if not self._line.startswith(self._delimiter, self._at):
                break
            self._at += 1
        cells = self._stripped(cells)
        return BadEscape(cells, first_bad) if first_bad else cells

    def _cell(self) -> str:
        self._skip_spaces()
        is_quoted = bool(self._quote) and self._line.startswith(self._quote, self._at)
        self._at += is_quoted
        ordinary = self._quoted if is_quoted else self._bare
        text, nulls = "", 0
        while True:
            found = ordinary.match(self._line, self._at)
            text += found.group() if found else ""
            self._at = found.end() if found else self._at
            if self._escape and self._line.startswith(self._escape, self._at):
                escaped = self._escaped()
                nulls += escaped == self._escape + NULL
                text += escaped
            elif not is_quoted:
                break
            elif self._at == len(self._line):
                self._next_line()
            elif self._line.startswith(self._quote * 2, self._at):
                text += self._quote
                self._at += 2
            else:
                self._end_quoted()
                break
        if nulls and self._stripped([text]) == [self._escape + NULL]:
            return ""
        self._is_bad = self._is_bad or nulls > 0
        return text

    def _escaped(self) -> str:
        """The character that an escape character makes an ordinary one; both, if it makes none."""
        self._at += 1
        character = self._line[self._at : self._at + 1]
        if not character:
            raise csv.Error("the file ends with an escape character")
        if character == "\r" and self._line.startswith("\r\n", self._at):
            character = "\r\n"
        self._at += len(character)
        if character[0] in "\r\n":
            self._line, self._at = next(self._lines, ""), 0
        elif character not in (self._delimiter, self._quote, self._escape):
            self._is_bad = self._is_bad or character != NULL
            return self._escape + character
        return character

    def _next_line(self) -> None:
        line = next(self._lines, "")
        if not line:
            raise csv.Error("unexpected end of data")
        self._line, self._at = line, 0

    def _end_quoted(self) -> None:
        self._at += 1
        self._skip_spaces()
        following = self._line[self._at : self._at + 1]
        if following not in (self._delimiter, "\r", "\n", ""):
            raise csv.Error(f"'{self._delimiter}' expected after '{self._quote}'")

    def _skip_spaces(self) -> None:
        if self._blank and (found := self._blank.match(self._line, self._at)):
            self._at = found.end()
