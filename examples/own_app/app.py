"""Somebody else's app: two pipelines on a bucket, a topic and a consumer of its own. `cdk deploy` deploys it."""

import os

from aws_cdk import App, CfnOutput, Duration, Environment, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct
from csv_ingest_cdk import CsvIngest, Feed, FileFormat
from csv_ingest_gates.plugin import guard


class Shop(Stack):
    """Orders are kept file by file; of the stock, there is the newest row of each article."""

    def __init__(self, scope: Construct, id_: str, *, env: Environment) -> None:
        super().__init__(scope, id_, env=env)
        bucket = s3.Bucket(self, "Uploads", versioned=True, enforce_ssl=True)
        oncall = sns.Topic(self, "Oncall")

        orders = Feed(
            name="orders",
            key_prefix="orders/",
            file_index=True,  # the consumer asks for the rows of a file
            reserved_concurrency=None,  # a new account has none to reserve
            format=FileFormat(id_column="order_id", columns={"price": "decimal"}),
        )
        stock = Feed(
            name="stock",
            key_prefix="stock/",
            write_mode="merge",
            reserved_concurrency=None,
            format=FileFormat(id_column="sku", columns={"quantity": "integer"}),
        )
        self.orders = CsvIngest(self, "Orders", bucket=bucket, topic=oncall, feeds=[orders])
        self.stock = CsvIngest(self, "Stock", bucket=bucket, topic=oncall, feeds=[stock])

        self._consume(self.orders, feed="orders")
        # `csv-ingest --stack Shop.Orders` and `--stack Shop.Stock` look for these names.
        for ingest in (self.orders, self.stock):
            for name, value in ingest.outputs.items():
                CfnOutput(self, f"{ingest.node.id}{name}", value=value)

    def _consume(self, ingest: CsvIngest, *, feed: str) -> None:
        """Have a function read the rows of each file that is complete: EventBridge, a queue, the function."""
        totals = dynamodb.TableV2(
            self, "Totals", partition_key=dynamodb.Attribute(name="file", type=dynamodb.AttributeType.STRING)
        )
        consumer = lambda_.Function(
            self,
            "Consumer",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="handler.handler",
            code=lambda_.Code.from_asset("consumer"),
            timeout=Duration.minutes(1),
            environment={"ROWS_TABLE": ingest.tables[feed].table_name, "TOTALS_TABLE": totals.table_name},
        )
        ingest.grant_read(consumer, feed=feed)
        totals.grant_write_data(consumer)
        failed = sqs.Queue(self, "Failed", enforce_ssl=True, retention_period=Duration.days(14))
        complete = sqs.Queue(
            self,
            "Complete",
            enforce_ssl=True,
            visibility_timeout=Duration.minutes(6),
            dead_letter_queue=sqs.DeadLetterQueue(queue=failed, max_receive_count=5),
        )
        consumer.add_event_source(sources.SqsEventSource(complete, batch_size=1))
        events.Rule(
            self,
            "CompleteFiles",
            event_pattern=events.EventPattern(
                source=["csv-ingest"],
                detail_type=["CSV File Complete"],
                detail={"pipeline": [ingest.name], "feed": [feed]},
            ),
            targets=[targets.SqsQueue(complete, dead_letter_queue=failed)],
        )
        CfnOutput(self, "TotalsTableName", value=totals.table_name)


app = App()
shop = Shop(
    app,
    "Shop",
    env=Environment(account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region=os.environ.get("CDK_DEFAULT_REGION")),
)
guard(shop.orders)  # the rest of the app has rules of its own
guard(shop.stock)
app.synth()
