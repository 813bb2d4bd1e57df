"""Who is notified and when, and where to look."""

from aws_cdk import Annotations
from aws_cdk import aws_sns as sns
from constructs import Construct

from stacks.alarm_topic import AlarmTopic
from stacks.alarms import alarm_specs, create_alarms
from stacks.dashboard import Dashboard
from stacks.ingestion import Ingestion


class Monitoring(Construct):
    """The alarms, the topic that they notify, and one dashboard."""

    def __init__(
        self, scope: Construct, id_: str, *, ingestion: Ingestion, topic: sns.ITopic | None, email: str | None
    ) -> None:
        super().__init__(scope, id_)
        if topic and email:
            raise ValueError(f"alarm_email={email!r}: with topic, subscribe the address to that topic yourself")
        keeping = ingestion.storage.keeping
        self.topic = topic or AlarmTopic(self, "AlarmTopic", key=keeping.key, email=email)
        create_alarms(self, alarm_specs(ingestion), topic=self.topic)
        Dashboard(self, "Dashboard", ingestion=ingestion)
        if keeping.outlives_stack and not topic and not email:
            Annotations.of(self).add_warning_v2(
                "csv-ingest:nobody-is-told", "alarm_email is not set: subscribe to the alarm topic, or nobody is told"
            )
