"""The types of the settings of a feed."""

import itertools
import re
import ssl
from dataclasses import replace

from csv_ingest.model.expectation import ALLOWED as EXPECTED
from csv_ingest.model.expectation import Expectation
from csv_ingest.modes import MODES
from csv_ingest.settings import SettingType, each_once, matching, several

MAX_CERTIFICATE_BYTES = 2_000
"""Of the 4 KB of the function's environment."""

# S3 allows a hundred notifications for a bucket: stacks/limits.py counts those of all feeds.
_MAX_SUFFIXES = 20

_IDENTIFIER = r"[a-z_][a-z0-9_]{0,62}"
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_PEM = re.compile(r"(-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n?)+")


def ids(prefix: str, what: str, *, most: int) -> SettingType:
    """The ids of some resources of AWS, each once."""
    return each_once(rf"{prefix}-[0-9a-f]{{8,17}}", f"ids of {what} such as {prefix}-0123456789abcdef0", most=most)


def _parse_expectation(text: str) -> str:
    Expectation.parse(text)
    return text


def _parse_suffixes(text: str) -> tuple[str, ...]:
    suffixes = tuple(suffix.strip() for suffix in text.split(","))
    well_formed = all(re.fullmatch(r"\.[A-Za-z0-9._-]{1,50}", suffix) for suffix in suffixes)
    # S3 refuses overlapping filters only during the deployment.
    overlapping = any(first.endswith(second) for first, second in itertools.permutations(suffixes, 2))
    if not well_formed or overlapping or len(suffixes) > _MAX_SUFFIXES:
        raise ValueError(text)
    return suffixes


def _parse_certificates(text: str) -> str:
    """Certificates in PEM; nothing else, because a key beside them would be in the template. Raises ValueError."""
    text = text.replace("\r", "").strip()
    if not _PEM.fullmatch(text) or len(text.encode()) > MAX_CERTIFICATE_BYTES:
        raise ValueError(text)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except ssl.SSLError as error:
        raise ValueError(text) from error
    return text


KEY_PREFIX = matching(r"[A-Za-z0-9/_.-]{0,200}", "the beginning of an object key: letters, digits, / _ . -")
KEY_SUFFIXES = several(
    "endings that begin with a dot, such as .csv,.CSV, none of them the end of another", _parse_suffixes
)
WRITE_MODE = matching("|".join(MODES), ", or ".join(MODES))
MAX_REJECTED = replace(
    matching(r"\d{1,9}|(100|[1-9]?\d)%", "a number of rows, or a share such as 50%"), from_json={int: str}
)
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
ROWS_TABLE = matching(r"(?!none$)[A-Za-z0-9_.-]{3,255}", "the name of a table in DynamoDB")

S3, EVENTBRIDGE = "s3", "eventbridge"
TRIGGER = matching(f"{S3}|{EVENTBRIDGE}", f"{S3}, or {EVENTBRIDGE}")
DYNAMODB, POSTGRESQL = "dynamodb", "postgresql"
DESTINATION = matching(f"{DYNAMODB}|{POSTGRESQL}", f"{DYNAMODB}, or {POSTGRESQL}")
HOST = matching(rf"(?!none$)(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*", "the name of a host, in lower case")
DATABASE_NAME = matching(r"(?!none$)[A-Za-z_][A-Za-z0-9_-]{0,62}", "a name of letters, digits, _ and -")
DATABASE_USER = matching(r"(?!none$)[A-Za-z_][A-Za-z0-9_.-]{0,62}", "a name of letters, digits, _ . and -")
TABLE = matching(
    rf"(?!none$)({_IDENTIFIER}\.)?{_IDENTIFIER}",
    "table or schema.table, each of lower-case letters, digits and _, at most 63",
)
RESOURCE_ID = matching(
    r"(db|cluster)-[A-Z0-9]{10,60}|prx-[A-Za-z0-9]{10,60}",
    "a resource id: db-ABCDEFGHIJ0123456789, cluster-... or prx-..., which is not the identifier",
)
SECRET_ARN = matching(
    r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@!-]+-[A-Za-z0-9]{6}",
    "the whole ARN of a secret, with the six characters at its end",
)
CERTIFICATES = SettingType(
    f"the text of certificates in PEM, at most {MAX_CERTIFICATE_BYTES:,} bytes", _parse_certificates
)
ACCOUNTS = each_once(r"[0-9]{12}", "numbers of AWS accounts, of twelve digits, each once")
SUBNETS = ids("subnet", "subnets", most=16)
SECURITY_GROUPS = ids("sg", "security groups", most=5)
EXPECT = SettingType(EXPECTED, _parse_expectation)
REJECTS_TO = matching(
    r"(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/)?([^\x00-\x1f\x7f/]+/)+",
    "s3://bucket/prefix/, or prefix/, ending with a slash",
)
