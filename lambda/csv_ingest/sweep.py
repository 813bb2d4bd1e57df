"""The Lambda handler of the hourly sweep: finds uploads that never settled, and delivers them again.

It also counts the objects that no feed takes, and tells of them.
"""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from csv_ingest import clients, configuration, ledger, queues, reporting
from csv_ingest.model import Deadline, OutOfTime
from csv_ingest.notices import bus, not_taken
from csv_ingest.sweeping.run import sweep

GRACE = timedelta(hours=1)
"""How long an upload may take until it counts as unsettled: its event, two retries, and some waiting."""

LONGEST_SCAN = timedelta(days=1)
"""If none was complete for so long, somebody has to know."""

TIME_TO_REPORT = 10
"""Seconds of the timeout kept back."""


@reporting.logger.inject_lambda_context(clear_state=True)
@reporting.metrics.log_metrics
def handler(_event: dict[str, Any], context: LambdaContext, *, grace: timedelta = GRACE) -> None:
    """Count the failed events, deliver again the uploads that never settled, count what no feed takes, and tell of it.

    The schedule's event is not used.
    """
    config = configuration.SweepConfig.from_environment()
    deadline = Deadline(lambda: context.get_remaining_time_in_millis() / 1000 - TIME_TO_REPORT)
    # What cannot be read, or be delivered, fails this run, and keeps nothing else from being found.
    with ExitStack() as then:  # the callback that is added last is called first
        then.callback(_report_swept, config, deadline, grace)
        reporting.count("FailuresWaiting", sum(queues.count_messages(clients.sqs(), config.failure_queue)))


def _report_swept(config: configuration.SweepConfig, deadline: Deadline, grace: timedelta) -> None:
    swept = sweep(
        config=config,
        s3=clients.s3(),
        dynamodb=clients.dynamodb(),
        lambda_=clients.lambda_(),
        before=datetime.now(UTC) - grace,
        deadline=deadline,
    )
    about = ("uploads", "unsettled", "ignored", "delivered", "is_complete")
    reporting.logger.info("swept", extra={name: value for name, value in swept._asdict().items() if name in about})
    reporting.count("UnsettledFiles", swept.unsettled)
    reporting.count("ObjectsIgnored", swept.ignored)
    if config.event_bus and swept.ignored:
        told_on = bus.EventBus(clients.events(), config.event_bus, config.pipeline, config.upload_bucket)
        files = ledger.FilesTable(clients.dynamodb(), config.files_table, deadline=deadline)
        not_taken.tell(swept.newest_ignored, swept.ignored, config.intake, files, told_on)
    if datetime.now(UTC) - swept.completed_at > LONGEST_SCAN:
        since = ledger.text_of_time(swept.completed_at)
        raise OutOfTime(f"out of time: no scan of the bucket was complete since {since}")
