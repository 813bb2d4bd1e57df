"""What a user can set, from CDK context: `cdk deploy -c stage=prod -c alarm_email=oncall@example.com`, or cdk.json."""

import codecs
import difflib
import itertools
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from aws_cdk import RemovalPolicy
from aws_cdk.aws_logs import RetentionDays


class InvalidSetting(ValueError):
    """A setting that cannot be used; the message names it and what is allowed."""


@dataclass(frozen=True)
class _Kind:
    """How the value of a setting is checked. Values from the command line are text, those from cdk.json are JSON."""

    allowed: str
    parse: Callable[[str], Any]
    optional: bool = False


def _matching(pattern: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(text)
        return text

    return parse


def _whole_number(low: int, high: int) -> _Kind:
    def parse(text: str) -> int:
        number = int(text)
        if not low <= number <= high:
            raise ValueError(text)
        return number

    return _Kind(f"a whole number from {low} to {high:,}", parse)


def _or_none(kind: _Kind) -> _Kind:
    return _Kind(f"{kind.allowed}, or none", lambda text: None if text == "none" else kind.parse(text), optional=True)


def _one_of(numbers: Collection[int]) -> _Kind:
    texts = {str(number): number for number in numbers}
    return _Kind(", ".join(texts), texts.__getitem__)


# Python knows more: codecs that are no text, and some that decode to characters that DynamoDB refuses.
_FILE_ENCODINGS = re.compile(
    r"utf-8|utf-16|ascii|iso8859-\d+|cp\d+|koi8-[ru]|mac-roman|big5|gb2312|gbk|gb18030|shift_jis|euc_jp|euc_kr"
)


def _encoding(text: str) -> str:
    name = codecs.lookup(text).name
    if not _FILE_ENCODINGS.fullmatch(name):
        raise ValueError(text)
    return name


def _delimiter(text: str) -> str:
    character = {"tab": "\t", "semicolon": ";", "pipe": "|"}.get(text, text)
    if len(character) != 1 or character in '"\r\n\0 ' or not character.isascii():
        raise ValueError(text)
    return character


def _suffixes(text: str) -> tuple[str, ...]:
    suffixes = tuple(_matching(r"\.[A-Za-z0-9._-]+")(suffix.strip()) for suffix in text.split(","))
    # S3 refuses overlapping filters, but only when they are deployed.
    if any(a.endswith(b) for a, b in itertools.permutations(suffixes, 2)):
        raise ValueError(text)
    return suffixes


def _setting(default: Any, kind: _Kind, doc: str) -> Any:
    return field(default=default, metadata={"kind": kind, "doc": doc})


_RETENTION = {
    1: RetentionDays.ONE_DAY,
    3: RetentionDays.THREE_DAYS,
    7: RetentionDays.ONE_WEEK,
    14: RetentionDays.TWO_WEEKS,
    30: RetentionDays.ONE_MONTH,
    90: RetentionDays.THREE_MONTHS,
    180: RetentionDays.SIX_MONTHS,
    365: RetentionDays.ONE_YEAR,
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The whole configuration of a deployment; each field is one context key of the same name."""

    stage: str = _setting(
        "dev",
        _Kind(
            "a lower-case letter, then such letters, digits and hyphens, at most 20",
            _matching(r"[a-z][a-z0-9-]{0,19}"),
        ),
        "Name of the deployment. `dev` can be destroyed with its data, every other stage keeps it.",
    )
    id_column: str = _setting(
        "id",
        _Kind("a column name, or @line", _matching(r"@line|[^@].*")),
        "The column that identifies a row within its file. `@line`: the line number does.",
    )
    delimiter: str = _setting(
        ",",
        _Kind("tab, semicolon, pipe, or one ASCII character other than a space or a quote", _delimiter),
        "What separates the fields.",
    )
    encoding: str = _setting(
        "utf-8",
        _Kind("an encoding of text files that Python knows, such as utf-8 or cp1252", _encoding),
        "How files are encoded.",
    )
    key_prefix: str = _setting(
        "",
        _Kind("the beginning of an object key: letters, digits, / _ . -", _matching(r"[A-Za-z0-9/_.-]{0,200}")),
        "Only uploads below it are ingested.",
    )
    key_suffixes: tuple[str, ...] = _setting(
        (".csv", ".CSV", ".csv.gz"),
        _Kind("endings that begin with a dot, such as .csv,.CSV, none of them the end of another", _suffixes),
        "Only uploads with one of these endings are ingested; S3 compares them with their case.",
    )
    timeout_seconds: int = _setting(30, _whole_number(10, 900), "Time for one delivery of a file.")
    max_file_mb: int = _setting(
        1_000,
        _whole_number(1, 10_000),
        "Larger files are rejected, and such that cannot be cut (gzip) at a tenth of it, unpacked. "
        "More than 1,000 needs a longer `timeout_seconds`.",
    )
    memory_mb: int = _setting(512, _whole_number(256, 10_240), "Memory of the function, and with it its CPU share.")
    reserved_concurrency: int | None = _setting(
        50,
        _or_none(_whole_number(1, 10_000)),
        "How many files are ingested at once. `none` reserves nothing: new accounts have only 10 and cannot.",
    )
    max_write_units: int | None = _setting(
        None,
        _or_none(_whole_number(1, 10_000_000)),
        "Write request units a second that the rows table takes at most: a bound on what a burst can cost.",
    )
    alarm_email: str | None = _setting(
        None,
        _or_none(_Kind("an e-mail address", _matching(r"[^@\s]+@[^@\s]+\.[^@\s]+"))),
        "Who is told when an upload failed. Without it, subscribe to the topic yourself.",
    )
    log_retention_days: int = _setting(14, _one_of(_RETENTION), "How long logs are kept.")

    @property
    def stack_id(self) -> str:
        return "CsvIngest" if self.stage == "dev" else f"CsvIngest-{self.stage}"

    @property
    def keeps_data(self) -> bool:
        """Whether uploads, tables, failed events and logs outlive the stack."""
        return self.stage != "dev"

    @property
    def removal_policy(self) -> RemovalPolicy:
        return RemovalPolicy.RETAIN if self.keeps_data else RemovalPolicy.DESTROY

    @property
    def log_retention(self) -> RetentionDays:
        return _RETENTION[self.log_retention_days]

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> "Settings":
        """Check each setting; raises InvalidSetting naming the key, its value and what is allowed.

        Keys with a colon belong to the CDK. Every other key must be a setting: a misspelt one would otherwise
        deploy the default without a word.
        """
        known = {setting.name: setting.metadata["kind"] for setting in fields(cls)}
        values: dict[str, Any] = {}
        for key, value in context.items():
            if ":" in key:
                continue
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f", did you mean {near[0]}?" if near else "."
                raise InvalidSetting(f"unknown setting {key}{hint} There are: {', '.join(known)}")
            try:
                values[key] = known[key].parse(_as_text(value, known[key]))
            except (ValueError, LookupError) as error:
                raise InvalidSetting(f"setting {key}={value!r}: allowed is {known[key].allowed}") from error
        return cls(**values)


def _as_text(value: Any, kind: _Kind) -> str:
    """The value as it would be written on the command line; raises ValueError for a null that means nothing."""
    if value is None:
        if not kind.optional:
            raise ValueError(value)
        return "none"
    return ",".join(value) if isinstance(value, list) else str(value)
