"""The vocabulary of the pipeline: data as plain values, and exceptions. Other code uses it through these names."""

from csv_ingest.model.column import OF_EVERY_ROW, TYPES, Column, declaration_to_json
from csv_ingest.model.counts import NOTHING_YET, BatchResult, CompleteFile, Outcome, RowCounts
from csv_ingest.model.date_fields import NoSuchMoment
from csv_ingest.model.date_format import DateFormat
from csv_ingest.model.deadline import Deadline
from csv_ingest.model.errors import (
    BeingErased,
    DeliveryFailed,
    ItemsNotRead,
    MalformedEvent,
    NotAccepted,
    NotTold,
    OtherContent,
    OtherTable,
    OutOfTime,
    OwnerNeeded,
    PipelineError,
    RowsNotWritten,
    TableAltered,
    UnreadableFile,
)
from csv_ingest.model.expectation import Expectation
from csv_ingest.model.file_format import RULES, FileFormat
from csv_ingest.model.format_rules import FALSE_WORDS, TRUE_WORDS, matcher
from csv_ingest.model.format_types import DELIMITERS, LINE_AS_ID, NO_HEADER, SEARCH
from csv_ingest.model.plan import BEGINNING, Content, PartJob, PartStart, Phase, Plan
from csv_ingest.model.rows import (
    NO_VALUES,
    ROW_EXPIRES_AT,
    ForeignItem,
    Integer,
    RejectedRow,
    Row,
    RowKey,
    StoredRow,
    Value,
    fingerprint,
)
from csv_ingest.model.target import (
    DEFAULT_FEED,
    FILE_EXPIRES_AT,
    FILES_INDEX,
    FILES_INDEX_KEY,
    FILES_KEY,
    OF_COMPLETE,
    OF_FILES,
    OF_NEWEST,
    ROWS_INDEX,
    ROWS_KEY,
    Database,
    Owner,
    Target,
)
from csv_ingest.model.tuning import Tuning
from csv_ingest.model.uploads import NO_VERSION, VERIFY_FOLDER, VERSION_MARK, ObjectVersion, Origin, Upload
