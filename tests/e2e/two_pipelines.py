"""An app of its own: two pipelines in one stack, with feeds of the same name."""

from aws_cdk import App, CfnOutput, RemovalPolicy, Stack

from stacks import CsvIngest, Feed

app = App()
stack = Stack(app, "Shop")
for id_ in ("First", "Second"):
    orders = Feed(name="orders", key_prefix="orders/", reserved_concurrency=None)
    ingest = CsvIngest(stack, id_, feeds=[orders], removal_policy=RemovalPolicy.DESTROY)
    for name, value in ingest.outputs.items():
        CfnOutput(stack, f"{id_}{name}", value=value)
app.synth()
