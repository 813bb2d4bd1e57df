"""The metrics that the functions publish, and that alarms watch and the dashboard shows. Standard library only."""

from typing import Literal

NAMESPACE = "CsvIngest"

Metric = Literal[
    "ConnectionsFailed",
    "Deliveries",
    "DeliveriesIgnored",
    "FailuresWaiting",
    "FilesComplete",
    "FilesRejected",
    "FilesSettledBefore",
    "ObjectsIgnored",
    "PartsComplete",
    "RowsAlreadyPresent",
    "RowsRead",
    "RowsRejected",
    "RowsStored",
    "RowsSuperseded",
    "UnsettledFiles",
]
"""Counts, by `service`: the name of the stack, of a named feed followed by a slash and the feed's name."""
