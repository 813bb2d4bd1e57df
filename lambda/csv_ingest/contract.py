"""What the functions and the infrastructure have agreed on. The other side is stacks/contract.py: a test compares them.

What events look like is between the functions, AWS and the operator's commands: events.py, where each shape is both
written and read.
"""

from dataclasses import fields
from typing import Literal

from csv_ingest.settings import Settings, SweepSettings

_LOGGING = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"}
"""What Powertools reads by itself: the names under which logs and metrics are found."""

ENVIRONMENT = {
    "csv_ingest.handler.handler": {field.name.upper() for field in fields(Settings)} | _LOGGING,
    "csv_ingest.sweep.handler": {field.name.upper() for field in fields(SweepSettings)} | _LOGGING,
}
"""The handlers, each with the variables that configure it: all of them have to be there, and no other is read."""

ROWS_KEY = ("pk",)
FILES_KEY = ("object_key", "entry")
"""The names of a table's partition key and, if it has one, its sort key. All are text."""

Metric = Literal[
    "Deliveries",
    "DeliveriesIgnored",
    "FilesComplete",
    "FilesRejected",
    "FilesSettledBefore",
    "PartsComplete",
    "RowsAlreadyPresent",
    "RowsRead",
    "RowsRejected",
    "RowsStored",
    "UnsettledFiles",
]
"""What the functions count, by `service`."""
