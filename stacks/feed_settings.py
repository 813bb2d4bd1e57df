"""The settings of a feed. stacks/setting_types.py and stacks/database_types.py say what is allowed."""

from dataclasses import dataclass, field

from stacks.database_types import (
    CERTIFICATES,
    DATABASE_NAME,
    DATABASE_USER,
    DESTINATION,
    HOST,
    POSTGRESQL,
    RESOURCE_ID,
    SECRET_ARN,
    SECURITY_GROUPS,
    SUBNETS,
    TABLE,
)
from stacks.setting_types import (
    COLUMNS,
    DECIMAL_SEPARATOR,
    DELIMITER,
    ENCODING,
    ID_COLUMN,
    KEY_PREFIX,
    KEY_SUFFIXES,
    MAX_REJECTED,
    MERGE,
    ROWS_TABLE,
    TRUE_OR_FALSE,
    WRITE_MODE,
    optional,
    setting,
    whole_number,
)

DEFAULT_FEED = "default"
"""The feed of a deployment without `feeds`. What belongs to it alone has no suffix in its name."""


LOW_CONCURRENCY = 10
"""The default of `reserved_concurrency` for a PostgreSQL feed, of which each delivery holds one of the server's
connections, and with `file_index`: all parts of a file write to one partition of the index."""


@dataclass(frozen=True, kw_only=True)
class FeedSettings:
    """How one kind of file is read and ingested.

    Each field but the name is a context key: in `feeds`, for this feed; outside of it, for each feed without its own.
    """

    name: str = DEFAULT_FEED
    key_prefix: str = setting("", KEY_PREFIX, "Only uploads below it are ingested.")
    key_suffixes: tuple[str, ...] = setting(
        (".csv", ".CSV", ".csv.gz"),
        KEY_SUFFIXES,
        "Only uploads with one of these endings are ingested; S3 distinguishes upper and lower case.",
    )
    id_column: str = setting(
        "id",
        ID_COLUMN,
        "The column that identifies a row within its file; with `merge`, in the whole feed. `@line`: the line number "
        "does.",
    )
    delimiter: str = setting(",", DELIMITER, "What separates the fields.")
    encoding: str = setting("utf-8", ENCODING, "How files are encoded.")
    decimal_separator: str = setting(
        ".", DECIMAL_SEPARATOR, "What separates the whole part of a decimal from its fraction, in declared columns."
    )
    columns: str = setting(
        "{}",
        COLUMNS,
        "The columns that are stored with a type, [see below](#columns). All others are stored as text.",
    )
    """JSON, checked and compact. The function has the same text in its environment."""
    write_mode: str = setting(
        "append",
        WRITE_MODE,
        "Keep the rows of each upload, or of each id the row of the newest upload. [See below](#write-mode).",
    )
    max_rejected: str | None = setting(
        "50%",
        optional(MAX_REJECTED),
        "How many rejected rows a file may have: a number, or a share, which counts if they are more than 100. A file "
        "with more is `REJECTED`, and no row of it is stored. [See below](#files-with-many-rejected-rows).",
    )
    timeout_seconds: int = setting(30, whole_number(10, 900), "Time for one delivery of a file.")
    max_file_mb: int = setting(
        1_000,
        whole_number(1, 10_000),
        "Maximum size of a file. Files that cannot be split (such as gzip) may have a tenth of it, uncompressed. "
        "More than 1,000 needs a longer `timeout_seconds`.",
    )
    memory_mb: int = setting(512, whole_number(256, 10_240), "Memory of the function, and with it its CPU share.")
    reserved_concurrency: int | None = setting(
        50,
        optional(whole_number(1, 10_000)),
        "How many deliveries, of files or of parts, run at once; for a PostgreSQL feed, and with `file_index`, 10 "
        "unless it is set. "
        "`none` reserves nothing: new accounts have only 10 and cannot.",
    )
    max_write_units: int | None = setting(
        None,
        optional(whole_number(1, 10_000_000)),
        "Write request units a second that the rows table takes at most, and as many its index: a bound on what a "
        "burst can cost.",
    )
    file_index: bool = setting(
        False,  # noqa: FBT003 - it is the value
        TRUE_OR_FALSE,
        "Whether the rows of a file can be [read by its ETag](reading.md#every-row-of-a-file): an index of the rows "
        "table. A row costs another write unit, a replaced one two, and a file is limited to some 1,000 rows a second. "
        "[See below](#index-of-the-files).",
    )
    rows_table: str | None = setting(
        None,
        optional(ROWS_TABLE),
        "A rows table of yours in DynamoDB that takes the place of the deployment's own, such as a restored one. "
        "[See below](#a-table-of-yours).",
    )
    destination: str = setting(
        "dynamodb", DESTINATION, "Where the rows go: to a new DynamoDB table, or to your [PostgreSQL](#postgresql)."
    )
    database_host: str | None = setting(
        None, optional(HOST), "Endpoint of the PostgreSQL database. The server's certificate has to name it."
    )
    database_port: int = setting(5432, whole_number(1, 65_535), "Port of the database.")
    database_name: str | None = setting(None, optional(DATABASE_NAME), "Name of the database on its server.")
    database_user: str | None = setting(
        None,
        optional(DATABASE_USER),
        "Whom the function logs in as, unless `database_secret` has another `username`.",
    )
    database_table: str | None = setting(
        None, optional(TABLE), "The table for the rows. It has to exist: the deployment does not create it."
    )
    database_resource_id: str | None = setting(
        None, optional(RESOURCE_ID), "Log in by IAM to this instance, cluster or proxy. Needs no password."
    )
    database_secret: str | None = setting(
        None,
        optional(SECRET_ARN),
        "Log in with the `password`, and as the `username` if there is one, in the JSON of this secret, instead of by "
        "IAM.",
    )
    database_ca: str | None = setting(
        None,
        optional(CERTIFICATES),
        "The authority that signed the server's certificate, if it is not one of RDS's.",
    )
    subnets: tuple[str, ...] = setting((), SUBNETS, "Where in your VPC the function of a PostgreSQL feed runs.")
    security_groups: tuple[str, ...] = setting(
        (), SECURITY_GROUPS, "Of the function of a PostgreSQL feed. Those of the database have to admit them."
    )
    own: frozenset[str] = field(default=frozenset(), compare=False)
    """The settings that are given in `feeds`, for this feed alone."""

    @property
    def is_postgresql(self) -> bool:
        return self.destination == POSTGRESQL

    @property
    def merges(self) -> bool:
        """Whether there is one row an id, and not one an upload and id."""
        return self.write_mode == MERGE

    @property
    def destination_name(self) -> str:
        return "PostgreSQL" if self.is_postgresql else "DynamoDB"

    @property
    def suffix(self) -> str:
        """What ends the names of this feed's outputs and resources: `AcmeEu` for acme-eu, nothing for the default."""
        return "" if self.name == DEFAULT_FEED else "".join(word.capitalize() for word in self.name.split("-"))
