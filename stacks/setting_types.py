"""The types of settings: which values are allowed, in words, and how they are parsed from text."""

import codecs
import itertools
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from stacks import columns

NONE = "none"
"""How the command line writes an optional setting that is not set."""


def _to_text(value: Any) -> str:
    if value is None:
        return NONE
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(each if isinstance(each, str) else "=".join(each) for each in value)
    return "tab" if value == "\t" else str(value)


JSON_TYPES: Mapping[type, str] = {
    bool: "true or false",  # before int: Python's truths are ints as well
    int: "a whole number",
    list: "a list of text",
    dict: "an object",
}
"""The types that values of cdk.json can have beside text and null, in words. A number with a fraction is of none."""


class WrongJsonType(ValueError):
    """A value of cdk.json is of another JSON type than its setting. The message says which types the setting has."""


@dataclass(frozen=True)
class SettingType:
    """A type of settings.

    `allowed` describes the values, for messages and the documentation. `parse` converts the text after `-c key=`; it
    raises ValueError or LookupError for text that is not allowed, and InvalidColumn, which says more. An `optional`
    type also allows `none`. `to_text` converts a parsed value back. `from_json` converts values of cdk.json that are no
    text to such text, by their types in JSON (keys of JSON_TYPES); values of other types are not allowed. It raises
    ValueError for a value that has no such text.
    """

    allowed: str
    parse: Callable[[str], Any]
    optional: bool = False
    to_text: Callable[[Any], str] = _to_text
    from_json: Mapping[type, Callable[[Any], str]] = field(default_factory=dict)

    def text_of(self, value: Any) -> str:
        """The text that would follow `-c key=` for a value of cdk.json. Raises WrongJsonType, and as `from_json`."""
        if isinstance(value, str):
            return value
        if value is None and self.optional:
            return NONE
        type_ = next((each for each in JSON_TYPES if isinstance(value, each)), type(value))
        if convert := self.from_json.get(type_):
            return convert(value)
        words = [JSON_TYPES[each] for each in self.from_json] + ["null"] * self.optional
        raise WrongJsonType(", or ".join(["text", *words]))


def setting(default: Any, type_: SettingType, doc: str) -> Any:
    """A field of a dataclass that is a context key. `doc` is its text in docs/settings.md."""
    return field(default=default, metadata={"type": type_, "doc": doc})


def matching(pattern: str, allowed: str) -> SettingType:
    """Text that a regular expression matches as a whole."""

    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(text)
        return text

    return SettingType(allowed, parse)


def whole_number(low: int, high: int) -> SettingType:
    """A whole number within limits, which are allowed themselves."""

    def parse(text: str) -> int:
        number = int(text)
        if not low <= number <= high:
            raise ValueError(text)
        return number

    return SettingType(f"a whole number from {low} to {high:,}", parse, from_json={int: str})


def one_of(numbers: Collection[int]) -> SettingType:
    """One of a few whole numbers."""
    by_text = {str(number): number for number in numbers}
    return SettingType(", ".join(by_text), by_text.__getitem__, from_json={int: str})


def several(allowed: str, parse: Callable[[str], Any]) -> SettingType:
    """Some texts: in cdk.json a list, on the command line separated by commas."""

    def join(texts: list[Any]) -> str:
        # The text could otherwise not be split at the same places.
        if not all(isinstance(each, str) and "," not in each for each in texts):
            raise ValueError(texts)
        return ",".join(texts)

    return SettingType(allowed, parse, from_json={list: join})


def optional(required: SettingType) -> SettingType:
    """Another type, or None."""
    return SettingType(
        f"{required.allowed}, or {NONE}",
        lambda text: None if text == NONE else required.parse(text),
        optional=True,
        from_json=required.from_json,
    )


def _parse_delimiter(text: str) -> str:
    character = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}.get(text, text)
    if len(character) != 1 or character in '"\r\n\0 ' or not character.isascii():
        raise ValueError(text)
    return character


# Python has more codecs: some are not for text, others decode to characters that DynamoDB refuses.
_TEXT_ENCODINGS = re.compile(
    r"utf-8|utf-16|ascii|iso8859-\d+|cp\d+|koi8-[ru]|mac-roman|big5|gb2312|gbk|gb18030|shift_jis|euc_jp|euc_kr"
)


def _parse_encoding(text: str) -> str:
    name = codecs.lookup(text).name
    if not _TEXT_ENCODINGS.fullmatch(name):
        raise ValueError(text)
    return name


# S3 allows a hundred notifications for a bucket: stacks/limits.py counts those of all feeds.
_MAX_SUFFIXES = 20


def _parse_suffixes(text: str) -> tuple[str, ...]:
    suffixes = tuple(suffix.strip() for suffix in text.split(","))
    well_formed = all(re.fullmatch(r"\.[A-Za-z0-9._-]{1,50}", suffix) for suffix in suffixes)
    # S3 refuses overlapping filters only during the deployment.
    overlapping = any(first.endswith(second) for first, second in itertools.permutations(suffixes, 2))
    if not well_formed or overlapping or len(suffixes) > _MAX_SUFFIXES:
        raise ValueError(text)
    return suffixes


def _parse_prefixes(text: str) -> tuple[str, ...]:
    prefixes = tuple(prefix.strip() for prefix in text.split(","))
    if not all(prefix and prefix.isprintable() for prefix in prefixes) or len(set(prefixes)) < len(prefixes):
        raise ValueError(text)
    return prefixes


# AWS allows fifty tags for a resource, and CloudFormation adds some of its own.
_MAX_TAGS = 40

# https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
_TAG_NAME = re.compile(r"(?i:(?!aws:))[\w .:/=+@-]{1,128}")
_TAG_VALUE = re.compile(r"[\w .:/=+@-]{0,256}")


def _parse_tags(text: str) -> tuple[tuple[str, str], ...]:
    tags: dict[str, str] = {}
    for pair in text.split(","):
        name, equals, value = (part.strip() for part in pair.partition("="))
        well_formed = equals and _TAG_NAME.fullmatch(name) and _TAG_VALUE.fullmatch(value)
        # IAM ignores the case of tag names.
        repeated = name.lower() in map(str.lower, tags)
        if not well_formed or repeated or len(tags) == _MAX_TAGS:
            raise ValueError(text)
        tags[name] = value
    return tuple(tags.items())


def _tags_to_text(tags: Mapping[str, Any]) -> str:
    """Raises ValueError for a name or a value that the text could not be split at again."""
    if not all(isinstance(each, str) and "," not in each and "=" not in name for name, each in tags.items()):
        raise ValueError(tags)
    return ",".join(f"{name}={each}" for name, each in tags.items())


_TRUTHS = {"true": True, "false": False}
_SEPARATORS = {"point": ".", "comma": ","}


STAGE_NAME = matching(r"[a-z][a-z0-9-]{0,19}", "a lower-case letter, then such letters, digits and hyphens, at most 20")
ID_COLUMN = matching(r"@line|[^@].{0,254}", "a column name, or @line")
TRUE_OR_FALSE = SettingType("true, or false", lambda text: _TRUTHS[text.lower()], from_json={bool: str})
DELIMITER = SettingType(
    "comma, semicolon, tab, pipe, or one ASCII character other than a space or a quote", _parse_delimiter
)
MERGE = "merge"
WRITE_MODE = matching(f"append|{MERGE}", f"append, or {MERGE}")
ENCODING = SettingType("an encoding of text files that Python knows, such as utf-8 or cp1252", _parse_encoding)
DECIMAL_SEPARATOR = SettingType(
    "point, or comma",
    _SEPARATORS.__getitem__,
    to_text={character: word for word, character in _SEPARATORS.items()}.__getitem__,
)
COLUMNS = SettingType(
    'an object such as {"price": "decimal"}, on the command line as JSON',
    columns.parse,
    from_json={dict: columns.to_json},
)
FEED_NAME = matching(r"[a-z][a-z0-9-]{0,19}", "a lower-case letter, then such letters, digits and hyphens, at most 20")
KEY_PREFIX = matching(r"[A-Za-z0-9/_.-]{0,200}", "the beginning of an object key: letters, digits, / _ . -")
KEY_SUFFIXES = several(
    "endings that begin with a dot, such as .csv,.CSV, none of them the end of another", _parse_suffixes
)
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
ROWS_TABLE = matching(r"(?!none$)[A-Za-z0-9_.-]{3,255}", "the name of a table in DynamoDB")
MAX_REJECTED = replace(
    matching(r"\d{1,9}|(100|[1-9]?\d)%", "a number of rows, or a share such as 50%"), from_json={int: str}
)
IGNORED_PREFIXES = several("beginnings of object keys such as reports/,tmp/, each once", _parse_prefixes)
EMAIL_ADDRESS = matching(r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address")
BUCKET_NAME = matching(
    r"(?!none$|xn--|.*\.\.|[\d.]+$|.*--x-s3$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "the name of a bucket"
)
KMS_KEY_ARN = matching(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/(mrk-)?[0-9a-f-]{32,36}", "the ARN of a KMS key")
POLICY_ARN = matching(r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\w+=,.@/-]+", "the ARN of a managed policy")
TAGS = SettingType(
    "name=value pairs such as team=orders,cost=42, or an object in cdk.json",
    _parse_tags,
    from_json={dict: _tags_to_text},
)
