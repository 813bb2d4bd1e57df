"""What a cell looks like before its type is known: enough to tell a header, a row and a total line apart."""

import re
from functools import lru_cache

EMPTY, NUMBER, MOMENT, CODE, WORD = "empty", "number", "moment", "code", "word"

NULLS = ("NULL", "null", "\\N", "n/a", "N/A", "NA", "-", "None", "#N/A")
"""What files write into cells that have nothing."""

AFFIX = (
    r"[$€£¥₹₽₺₩₪%‰]|(?:US|AU|CA|NZ)\$|USD|EUR|GBP|CHF|JPY|CNY|SEK|NOK|DKK|PLN|CZK|HUF|AUD|CAD|NZD|INR|BRL|MXN|ZAR|TRY|RUB"
    r"|kr\.?|zł|Kč|Ft|Fr\.|Rs\.?"
)
"""Currencies and shares: what a number may have beside it without being another thing."""

_NUMBER = re.compile(
    rf"[-+(\u2212]?(?:(?:{AFFIX})\s?)?[-+(\u2212]?(?:[.,]?[0-9][0-9.,'\u2019 \u00a0\u202f\u2009]*)"
    rf"[-)\u2212]?(?:\s?(?:{AFFIX}))?[-)\u2212]?"
)
_MOMENT = re.compile(
    r"[0-9]{1,4}[-/. ][0-9A-Za-z]{1,9}[-/. ][0-9]{2,4}(?:(?:[ T]|, ).*)?|[A-Z][a-z]{2,8} [0-9]{1,2}, [0-9]{4}.*"
)
_CODE = re.compile(r"\S*[0-9]\S*")  # one word, with a digit
_ALMOST_NUMBER = re.compile(r"[0-9]{1,3}(?:[ .][0-9]{3})+")
"""Digits in groups, which the pattern of a date with spaces or points would take as well."""


@lru_cache(100_000)
def kind(cell: str) -> str:
    """One of EMPTY, NUMBER, MOMENT, CODE, WORD. What stands for nothing is EMPTY."""
    cell = cell.strip()
    if not cell or cell in NULLS:
        return EMPTY
    if _MOMENT.fullmatch(cell) and not _ALMOST_NUMBER.fullmatch(cell):
        return MOMENT
    if _NUMBER.fullmatch(cell):
        return NUMBER
    return CODE if _CODE.fullmatch(cell) else WORD
