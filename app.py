"""The CDK application: settings from the context, one stack, and checks that let nothing unsafe through.

It makes no AWS call and looks nothing up.
"""

import os
import sys

from aws_cdk import App

from gates.plugin import guard
from stacks.context import InvalidSetting, settings_from_context
from stacks.ingest_stack import IngestStack

app = App(outdir=os.environ.get("CDK_OUTDIR", "cdk.out"))
try:
    settings = settings_from_context(app.node.get_all_context())
except InvalidSetting as error:
    sys.exit(f"csv-ingest: {error}")
IngestStack(app, settings.stack_id, settings=settings)
guard(app)
app.synth()
