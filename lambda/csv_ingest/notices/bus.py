"""The event bus on which notices are told."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from csv_ingest.model import NotTold
from csv_ingest.notices.notice import SOURCE, Notice

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef


@dataclass(frozen=True)
class EventBus:
    """Tells notices of one pipeline as events of EventBridge."""

    client: "EventBridgeClient"
    name: str
    """Or its ARN."""
    pipeline: str
    bucket: str

    def put(self, notice: Notice) -> None:
        """Send the event of a notice, at least once. Raises NotTold if the bus does not take the event.

        EventBridge answers 200 and an error per event.
        https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
        """
        entry: PutEventsRequestEntryTypeDef = {
            "Source": SOURCE,
            "DetailType": notice.kind.value,
            "Detail": notice.detail(self.pipeline, self.bucket),
            "EventBusName": self.name,
        }
        if notice.time:
            entry["Time"] = datetime.fromisoformat(notice.time)
        answer = self.client.put_events(Entries=[entry])
        if answer["FailedEntryCount"]:
            [said] = answer["Entries"]
            raise NotTold(f"the event bus {self.name} answered {said.get('ErrorCode')} to an event")
