"""Who is notified and when, and where to look."""

from aws_cdk import Annotations
from constructs import Construct

from stacks.alarm_topic import AlarmTopic
from stacks.alarms import alarm_specs, create_alarms
from stacks.dashboard import Dashboard
from stacks.ingestion import Ingestion
from stacks.settings import Settings
from stacks.storage import Storage


class Monitoring(Construct):
    """The alarm topic, the alarms, and one dashboard."""

    def __init__(
        self, scope: Construct, id_: str, *, storage: Storage, ingestion: Ingestion, settings: Settings
    ) -> None:
        super().__init__(scope, id_)
        self.topic = AlarmTopic(self, "AlarmTopic", key=storage.key, email=settings.alarm_email)
        create_alarms(self, alarm_specs(ingestion), topic=self.topic, names_feeds=settings.names_feeds)
        Dashboard(self, "Dashboard", storage=storage, ingestion=ingestion)
        if settings.keeps_data and not settings.alarm_email:
            Annotations.of(self).add_warning_v2(
                "csv-ingest:nobody-is-told", "alarm_email is not set: subscribe to the alarm topic, or nobody is told"
            )
