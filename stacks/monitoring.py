"""Who is notified and when, and where to look."""

from aws_cdk import Annotations
from aws_cdk import aws_events as events
from aws_cdk import aws_sns as sns
from constructs import Construct

from .alarm_topic import AlarmTopic
from .alarms import alarm_specs, create_alarms
from .dashboard import Dashboard
from .ingestion import Ingestion
from .notifier_function import NotifierFunction


class Monitoring(Construct):
    """The alarms, the topic that they notify, the function that tells of outcomes, and one dashboard."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        ingestion: Ingestion,
        event_bus: events.IEventBus,
        topic: sns.ITopic | None,
        email: str | None,
        service: str,
    ) -> None:
        super().__init__(scope, id_)
        if topic and email:
            raise ValueError(f"alarm_email={email!r}: with topic, subscribe the address to that topic yourself")
        keeping = ingestion.storage.keeping
        self.topic = topic or AlarmTopic(self, "AlarmTopic", key=keeping.key, email=email)
        self.notifier = NotifierFunction(
            self,
            "Notifier",
            storage=ingestion.storage,
            failures=ingestion.failures,
            topic=self.topic,
            event_bus=event_bus,
            service=service,
        )
        create_alarms(self, alarm_specs(ingestion, self.notifier), topic=self.topic)
        Dashboard(self, "Dashboard", ingestion=ingestion)
        if keeping.outlives_stack and not topic and not email:
            Annotations.of(self).add_warning_v2(
                "csv-ingest:nobody-is-told", "alarm_email is not set: subscribe to the alarm topic, or nobody is told"
            )
