"""The types of the settings that say how a file is read."""

import codecs
import json
import re
from collections.abc import Callable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from csv_ingest.model.date_format import DateFormat
from csv_ingest.settings import Problem, SettingType, matching

LINE_AS_ID = "@line"
"""The id column's name for files without one: the number of the record's first line is the id."""

SEARCH, NO_HEADER = "search", "none"
"""Where the header is, beside a line: the first record that has all columns; nowhere."""

MAX_FOOTERS = 100


def texts_of(value: Any) -> tuple[str, ...]:
    """One text, or some, as JSON has them. Raises ValueError unless each has a character and stands there once."""
    texts = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else ()
    if not texts or not all(isinstance(each, str) and each for each in texts) or len(set(texts)) < len(texts):
        raise ValueError(value)
    "".join(texts).encode()  # half of a surrogate pair is no text: UnicodeEncodeError is a ValueError
    return texts


def _from_text(text: str) -> Any:
    """JSON, if the text begins like a list of it; otherwise the text."""
    if not text.startswith("["):
        return text
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return text


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _list_to_text(values: Sequence[Any]) -> str:
    return _to_json(values) if values else ""


def _list_type(allowed: str, require: Callable[[tuple[str, ...]], None] = lambda _texts: None) -> SettingType:
    """A list of texts: in cdk.json a list, on the command line its JSON. One text stands for a list of it."""

    def parse(text: str) -> tuple[str, ...]:
        texts = texts_of(_from_text(text)) if text else ()
        require(texts)
        return texts

    return SettingType(allowed, parse, to_text=_list_to_text, from_json={list: _list_to_text})


# Python has more codecs: some are not for text, others decode to characters that DynamoDB refuses.
_TEXT_ENCODINGS = re.compile(
    r"utf-8|utf-16(-[lb]e)?|ascii|iso8859-\d+|cp\d+|koi8-[ru]|mac-roman|big5|gb2312|gbk|gb18030|shift_jis|euc_jp|euc_kr"
)


def _parse_encoding(text: str) -> str:
    # A file in UTF-8 may begin with its mark, whatever the setting calls it.
    name = codecs.lookup(text).name.removesuffix("-sig")
    if not _TEXT_ENCODINGS.fullmatch(name):
        raise ValueError(text)
    return name


DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
"""The delimiters that files usually have, by what the setting calls them."""


def _parse_delimiter(text: str) -> str:
    character = DELIMITERS.get(text, text)
    if len(character) != 1 or character in '"\r\n\0 ' or not character.isascii():
        raise ValueError(text)
    return character


def _parse_character(text: str) -> str:
    character = "" if text in ("none", "") else text
    if character and (len(character) > 1 or not character.isascii() or character.isalnum() or character in " \t\r\n\0"):
        raise ValueError(text)
    return character


def _named(words: dict[str, str]) -> SettingType:
    """A character by a word. The character itself is allowed, too."""
    return SettingType(
        ", ".join([*list(words)[:-1], f"or {list(words)[-1]}"]) if len(words) > 2 else ", or ".join(words),  # noqa: PLR2004
        lambda text: text if text in words.values() else words[text],
        to_text={character: word for word, character in words.items()}.__getitem__,
    )


def _parse_header(text: str) -> str:
    if text not in ("first", SEARCH, NO_HEADER) and not re.fullmatch(r"[1-9][0-9]{0,5}", text):
        raise ValueError(text)
    return text


def _parse_id_column(text: str) -> str | tuple[str, ...]:
    names = texts_of(_from_text(text))
    if not all(re.fullmatch(r"@line|[^@].{0,254}", name) for name in names):
        raise ValueError(text)
    if len(names) > 1 and LINE_AS_ID in names:
        raise Problem(f"{LINE_AS_ID} stands for itself, and for no column beside others: keep one of them")
    return names[0] if len(names) == 1 else names


def _parse_timezone(text: str) -> str:
    if text and not re.fullmatch(r"[A-Z][A-Za-z0-9_+-]*(/[A-Z][A-Za-z0-9_+-]*)*", text):
        raise ValueError(text)
    try:
        return ZoneInfo(text).key if text else text  # raises ZoneInfoNotFoundError, a KeyError
    except OSError as error:  # such as Europe, which is a folder of zones
        raise ValueError(text) from error


def _require_formats(texts: tuple[str, ...]) -> None:
    for text in texts:
        try:
            DateFormat.compile(text)
        except ValueError as error:
            raise Problem(str(error)) from None


_IN_NUMBERS = re.compile(r"[0-9+()\u2212-]|^\s|\s$")
_SEPARATORS = ".,'\u2019"


def _require_affixes(texts: tuple[str, ...]) -> None:
    for text in texts:
        if _IN_NUMBERS.search(text) or not text.strip(_SEPARATORS):
            raise Problem(f"{text!r} has a digit, a sign, a bracket, or a space at its end: it could be of a number")
        if other := next((each for each in texts if each != text and each.strip(_SEPARATORS) == text), None):
            raise Problem(
                f"{text!r} and {other!r} differ by a separator, which could be of the number: keep one of them"
            )


GROUPING = {"none": "", "point": ".", "comma": ",", "space": " ", "apostrophe": "'"}

ID_COLUMN = SettingType(
    'a column name, @line, or a list such as ["order", "position"], on the command line as JSON',
    _parse_id_column,
    to_text=lambda value: value if isinstance(value, str) else _to_json(value),
    from_json={list: _to_json},
)
DELIMITER = SettingType(
    "comma, semicolon, tab, pipe, or one ASCII character other than a space or a quote", _parse_delimiter
)
ENCODING = SettingType("an encoding of text files that Python knows, such as utf-8 or cp1252", _parse_encoding)
DECIMAL_SEPARATOR = _named({"point": ".", "comma": ","})
HEADER = SettingType(
    "first, the number of a line, search, or none",
    _parse_header,
    to_text=lambda value: value or "first",
    from_json={int: str},
)
HEADER_MATCH = matching("exact|loose", "exact, or loose")
NAMES = _list_type('a list of names such as ["id", "price"], on the command line as JSON')
TEXTS = _list_type('a list of texts such as ["n/a", "ja"], on the command line as JSON')
AFFIXES = _list_type('a list of texts such as ["€", "EUR"], on the command line as JSON', _require_affixes)
FORMATS = _list_type(
    "a format in strptime's notation such as %d.%m.%Y, or a list of them, on the command line as JSON", _require_formats
)
TIMEZONE = SettingType("the IANA name of a time zone, such as Europe/Berlin", _parse_timezone)
GROUPING_SEPARATOR = _named(GROUPING)
NUMBER_STYLE = matching("plain|accounting", "plain, or accounting")
CHARACTER = SettingType(
    "an ASCII character other than a letter, a digit or a space, or none",
    _parse_character,
    to_text=lambda value: value or "none",
)
SHORT_ROWS = matching("reject|fill", "reject, or fill")
