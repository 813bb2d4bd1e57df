"""Groups the reasons of rejected rows and files, which are sentences with numbers. Pure."""

import re

NUMBER = re.compile(r"(?<![\w-])(?:0x[0-9a-f]+|\d[\d,]*(?:\.\d+)?)(?!\w)")
"""A number that stands alone, and not the 8 of utf-8."""

IN_COLUMN = re.compile(r"column (?P<column>.+?): (?P<what>(?:not|empty)\b.*)")
HINT = ": write it as "

LONGEST = 200
"""Characters of a group that are shown. A reason can name a hundred columns, and a name can be long."""


def of_row(reason: str) -> tuple[str, str]:
    """What is wrong with a rejected row, without its numbers, and the name of the column; empty if it is about none."""
    found = IN_COLUMN.fullmatch(reason)
    if not found:
        return without_numbers(reason), ""
    return without_numbers(found["what"].partition(HINT)[0]), _cut(found["column"])


def without_numbers(reason: str) -> str:
    """A reason with N in the place of each number, cut to 200 characters."""
    return _cut(NUMBER.sub("N", reason))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
