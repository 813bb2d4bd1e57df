"""The metrics that the functions publish, and that alarms watch and the dashboard shows. Standard library only."""

from typing import Literal

from csv_ingest.model import DEFAULT_FEED

NAMESPACE = "CsvIngest"

Metric = Literal[
    "ConnectionsFailed",
    "Deliveries",
    "DeliveriesIgnored",
    "FailuresWaiting",
    "FilesComplete",
    "FilesMissing",
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


def service_of(service: str, feed: str) -> str:
    """The service of a feed's metrics, where `service` is that of the stack."""
    return service if feed == DEFAULT_FEED else f"{service}/{feed}"
