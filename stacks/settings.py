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


_MOST_SUFFIXES = 20
"""A bucket can have a hundred notifications, and may have others."""


def _suffixes(text: str) -> tuple[str, ...]:
    suffixes = tuple(_matching(r"\.[A-Za-z0-9._-]{1,50}")(suffix.strip()) for suffix in text.split(","))
    # S3 refuses overlapping filters, but only when they are deployed.
    if any(a.endswith(b) for a, b in itertools.permutations(suffixes, 2)) or len(suffixes) > _MOST_SUFFIXES:
        raise ValueError(text)
    return suffixes


_MOST_TAGS = 40
"""AWS allows 50, and CloudFormation has some of its own."""


def _tags(text: str) -> tuple[tuple[str, str], ...]:
    tags: dict[str, str] = {}
    for pair in text.split(","):
        name, equals, value = (part.strip() for part in pair.partition("="))
        # As AWS allows them: https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
        allowed = re.fullmatch(r"(?i:(?!aws:))[\w .:/=+@-]{1,128}", name) and re.fullmatch(
            r"[\w .:/=+@-]{0,256}", value
        )
        # IAM does not tell names apart by their case.
        if not equals or not allowed or name.lower() in map(str.lower, tags) or len(tags) == _MOST_TAGS:
            raise ValueError(text)
        tags[name] = value
    return tuple(tags.items())


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
        _Kind("a column name, or @line", _matching(r"@line|[^@].{0,254}")),
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
    existing_bucket: str | None = _setting(
        None,
        _or_none(
            _Kind(
                "the name of a bucket",
                _matching(r"(?!none$|xn--|.*\.\.|[\d.]+$|.*--x-s3$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"),
            )
        ),
        "Ingest from a bucket of yours instead of a new one. It has to keep versions; its policies stay yours.",
    )
    kms_key: str | None = _setting(
        None,
        _or_none(
            _Kind(
                "the ARN of a KMS key", _matching(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/(mrk-)?[0-9a-f-]{32,36}")
            )
        ),
        "Key of the tables and of the bucket, also of an existing one that has a key. "
        "A file that is uploaded again gets another ETag then, and so its rows again.",
    )
    permissions_boundary: str | None = _setting(
        None,
        _or_none(
            _Kind("the ARN of a managed policy", _matching(r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\w+=,.@/-]+"))
        ),
        "What every role of the stack is limited to.",
    )
    tags: tuple[tuple[str, str], ...] = _setting(
        (),
        _Kind("name=value pairs such as team=orders,cost=42, or an object in cdk.json", _tags),
        "Tags of every resource that can have them.",
    )

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

        `stages` holds the settings of single stages, by their names. Keys with a colon belong to the CDK. Every other
        key must be a setting: a misspelt one would otherwise deploy the default without a word.
        """
        stages = _mapping(context.get("stages", {}), "stages")
        # All stages are checked whichever is deployed: what is wrong for prod is found before it is prod's turn.
        of_stages = {
            _parsed({"stage": name}, "stages: ")["stage"]: _parsed(_mapping(given, f"stages.{name}"), f"stages.{name}.")
            for name, given in stages.items()
        }
        values = _parsed({key: value for key, value in context.items() if ":" not in key and key not in _NOT_OURS})
        of_stage = of_stages.get(values.get("stage", cls.stage), {})
        if twice := sorted(of_stage.keys() & values.keys()):
            raise InvalidSetting(f"{', '.join(twice)}: set for the stage and outside of it, in cdk.json or with -c")
        return cls(**values, **of_stage)


# The CDK's command line keeps these in cdk.context.json.
_NOT_OURS = {"stages", "acknowledged-issue-numbers", "cli-telemetry"}

_KINDS: Mapping[str, _Kind] = {setting.name: setting.metadata["kind"] for setting in fields(Settings)}


def _parsed(given: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """The values of some settings; `where` is what comes before their keys in a message."""
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in _KINDS or (where.endswith(".") and key == "stage"):
            near = difflib.get_close_matches(key, _KINDS, n=1)
            hint = f", did you mean {near[0]}?" if near else "."
            raise InvalidSetting(f"unknown setting {where}{key}{hint} There are: {', '.join(_KINDS)}")
        try:
            values[key] = _KINDS[key].parse(_as_text(value, _KINDS[key]))
        except (ValueError, LookupError, TypeError) as error:
            raise InvalidSetting(f"setting {where}{key}={value!r}: allowed is {_KINDS[key].allowed}") from error
    return values


def _mapping(value: Any, key: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidSetting(f"setting {key}={value!r}: allowed is an object in cdk.json")
    return value


def _as_text(value: Any, kind: _Kind) -> str:
    """The value as it would be written on the command line; raises ValueError for a null that means nothing."""
    if value is None:
        if not kind.optional:
            raise ValueError(value)
        return "none"
    if isinstance(value, Mapping):
        if not all(isinstance(each, str) and "," not in each and "=" not in name for name, each in value.items()):
            raise ValueError(value)
        return ",".join(f"{name}={each}" for name, each in value.items())
    return ",".join(value) if isinstance(value, list) else str(value)


def written(value: Any) -> str:
    """A value as one would write it after `-c key=`."""
    if value is None:
        return "none"
    pairs = (each if isinstance(each, str) else "=".join(each) for each in value) if isinstance(value, tuple) else ()
    return ",".join(pairs) if isinstance(value, tuple) else {"\t": "tab"}.get(str(value), str(value))
