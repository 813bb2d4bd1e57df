"""Deliver again what an audit found wrong."""

from collections.abc import Iterable

from csv_ingest.model import ObjectVersion
from ops.audit import Discrepancy
from ops.pipeline import Pipeline


def repair(pipeline: Pipeline, findings: Iterable[Discrepancy]) -> list[ObjectVersion]:
    """Deliver again each upload with findings that a delivery can mend; returns what was delivered.

    A complete upload is reopened first: interrupted after that, it is delivered by the sweep. Then the rows that
    differ from it are deleted, since a delivery never overwrites, and its rejected rows, which the delivery records
    anew. Rows that belong to no file are left alone: nobody but their author knows what they are.
    """
    damaged: dict[tuple[str, str], list[Discrepancy]] = {}
    for finding in findings:
        if finding.kind != "unexpected":
            damaged.setdefault((finding.key, finding.etag), []).append(finding)
    delivered: list[ObjectVersion] = []
    for upload in pipeline.uploads():
        version = upload.version
        if (found := damaged.pop((version.key, version.etag), None)) is None:
            continue
        if pipeline.files.reopen(version):
            for finding in found:
                if finding.kind == "different" and finding.row:
                    pipeline.destination.delete(finding.row)
            pipeline.files.delete_rejected_rows(version)
        pipeline.redeliver(version)
        delivered.append(version)
    return delivered
