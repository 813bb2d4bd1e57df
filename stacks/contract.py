"""The names that the infrastructure and the functions share; the functions have them in the modules that use them.

The infrastructure imports nothing of the functions' code. tests/infrastructure/test_contract.py compares both sides.
"""

from typing import Literal, TypedDict

RELEASE = "1.1.0"
"""An output of the stack, and a variable of each function, as in csv_ingest/__init__.py."""

INGEST_HANDLER = "csv_ingest.handler.handler"
SWEEP_HANDLER = "csv_ingest.sweep.handler"


class IngestEnvironment(TypedDict):
    """The environment variables of the ingest function."""

    UPLOAD_BUCKET: str
    ROWS_TABLE: str
    """Its name in DynamoDB, or in PostgreSQL with its schema, if it is given."""
    DATABASE: str
    """A JSON object, `{}` for DynamoDB: `{"host": TEXT, "port": NUMBER, "name": TEXT, "user": TEXT, "secret": ARN,
    "ca": PEM}`. Without a secret, the text is empty and IAM logs in; without a `ca`, the package has it."""
    FILES_TABLE: str
    FAILURE_QUEUE: str
    ID_COLUMN: str
    DELIMITER: str
    ENCODING: str
    MAX_FILE_MB: str
    FEED: str
    COLUMNS: str
    """A JSON object, in the notation of docs/settings.md."""
    DECIMAL_SEPARATOR: str
    """The character."""
    WRITE_MODE: str
    """`append` or `merge`."""
    MAX_REJECTED: str
    """A number of rows, a share such as `50%`, or `none`."""
    EXISTING_TABLE: str
    """`true` if the settings name the table in DynamoDB, otherwise empty."""
    RELEASE: str


class SweepEnvironment(TypedDict):
    """The environment variables of the sweep."""

    UPLOAD_BUCKET: str
    FILES_TABLE: str
    FAILURE_QUEUE: str
    FEEDS: str
    """A JSON object: `{"<feed>": {"function": NAME, "prefix": TEXT, "suffixes": [TEXT, ...]}}`; with `"merges": true`
    if the feed merges."""
    IGNORED_PREFIXES: str
    """A JSON list of texts. The output IgnoredPrefixes has the same."""
    EXISTING_BUCKET: str
    """`true` or `false`. The output ExistingBucket has the same."""
    RELEASE: str


class LoggingEnvironment(TypedDict):
    """The environment variables of each function, for its logs and metrics."""

    POWERTOOLS_SERVICE_NAME: str
    POWERTOOLS_METRICS_NAMESPACE: str


ROWS_KEY = ("pk",)
UPLOADED = "uploaded"
"""What each row of a feed that merges has, beside what every row has: no declared column has this name."""

LINE_AS_ID = "@line"
"""The `id_column` that makes the line number the id."""
ROWS_INDEX = "etag-line"
FILES_KEY = ("object_key", "entry")

METRICS_NAMESPACE = "CsvIngest"

Metric = Literal[
    "ConnectionsFailed",
    "Deliveries",
    "DeliveriesIgnored",
    "FailuresWaiting",
    "FilesComplete",
    "FilesRejected",
    "FilesSettledBefore",
    "ObjectsIgnored",
    "RowsAlreadyPresent",
    "RowsRead",
    "RowsRejected",
    "RowsStored",
    "RowsSuperseded",
    "UnsettledFiles",
]
"""The metrics that the functions publish and that an alarm watches or the dashboard shows."""
