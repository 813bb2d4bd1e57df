"""Why an upload is as it is, and what can be done about it, in words."""

from collections.abc import Iterator

from csv_ingest import failure, ledger

from .. import display, status


def of(upload: status.UploadStatus) -> Iterator[str]:
    """Sentences about an upload, and the commands to go on with: the ways to make it good, if it needs something."""
    yield from _explanations(upload)
    for number, way in enumerate(_ways(upload)):
        yield f"{'or' if number else 'next'}: {way}"


def _explanations(upload: status.UploadStatus) -> Iterator[str]:
    record = upload.record
    yield f"etag {upload.etag}" + (f", version {record.version_id}" if record.mode.each_version else "")
    if upload.is_replaced:
        yield "a newer version of it was delivered"
    yield from superseded(record)
    yield from filter(None, (upload.absence, record.reason, upload.progress, upload.remark))
    yield from erasure(record)
    yield from _failures(upload)
    yield from acknowledgement(record)


def superseded(record: ledger.FileRecord) -> Iterator[str]:
    """How many rows newer uploads have replaced, if any."""
    if record.counts and (count := record.counts.superseded):
        yield f"{count:,} superseded: newer uploads have rows of their ids"


def erasure(record: ledger.FileRecord) -> Iterator[str]:
    """Which command takes the upload back, if one does."""
    if command := record.erasing:
        yield f"{command} has begun, and deletes its rows"


def acknowledgement(record: ledger.FileRecord) -> Iterator[str]:
    """Who knows of the outcome, if somebody does."""
    if known := record.acknowledgement:
        yield f"acknowledged {display.when(known.at)} by {known.by}: {known.reason}"


def _failures(upload: status.UploadStatus) -> Iterator[str]:
    """The message in the failure queue, and the last delivery that failed; each reason once."""
    record = upload.record
    reasons = [record.reason]
    if message := upload.failure:
        yield f"in the failure queue since {display.when(message.sent_at)}: {message.condition}"
        reasons.append(message.reason or failure.NO_REASON)
        if reasons[1] != record.reason:
            yield reasons[1]
    # Lambda's words can be longer: the code of S3's answer, and a sentence about it.
    if record.last_error and not any(record.last_error in reason for reason in reasons):
        yield f"the last delivery that failed: {record.last_error}"


def _ways(upload: status.UploadStatus) -> Iterator[str]:
    if command := upload.record.erasing:
        yield display.command(command, key=upload.key)
    elif upload.is_open:
        known = [display.command("acknowledge", "--reason", "...", key=upload.key)] if upload.is_settled else []
        ways = _ways_to_be_good(upload)
        yield from [*known, *ways] if upload.absence else [*ways, *known]


def _ways_to_be_good(upload: status.UploadStatus) -> Iterator[str]:
    if upload.absence:
        yield display.command("forget", key=upload.key)
    elif upload.is_poison:
        if not upload.is_replaced:
            yield "correct the file and upload it again; or correct the settings and redrive"
    elif upload.next_command:
        yield display.command(*upload.next_command)
    elif upload.failure:
        yield display.command("redrive", "--prefix", upload.key)
    elif upload.remark and not upload.is_settled:
        yield display.command("status", key=upload.key)
    elif upload.has_rejects and not upload.is_replaced:
        yield display.command("rejects", key=upload.key)
