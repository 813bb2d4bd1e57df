"""The emergency brake: the ingest function's reserved concurrency, to 0 and back."""

from typing import Any

import boto3

from ops.pipeline import Pipeline

PAUSED = "the pipeline is paused"
"""Why something does not go on."""


def pause(pipeline: Pipeline) -> None:
    """Start no delivery any more; those that run, end. Lambda sends new events straight to the failure queue."""
    pipeline.lambda_.put_function_concurrency(FunctionName=pipeline.function, ReservedConcurrentExecutions=0)


def is_paused(pipeline: Pipeline) -> bool:
    """Whether the brake is on."""
    answer = pipeline.lambda_.get_function_concurrency(FunctionName=pipeline.function)
    return answer.get("ReservedConcurrentExecutions") == 0


def resume(pipeline: Pipeline) -> int | None:
    """Set the reservation to what the stack's template says, and return it; None is no reservation."""
    cloudformation = boto3.client("cloudformation")
    resources = cloudformation.describe_stack_resources(StackName=pipeline.stack)["StackResources"]
    [id_] = [each["LogicalResourceId"] for each in resources if each.get("PhysicalResourceId") == pipeline.function]
    template: Any = cloudformation.get_template(StackName=pipeline.stack)["TemplateBody"]
    reserved: int | None = template["Resources"][id_]["Properties"].get("ReservedConcurrentExecutions")
    if reserved is None:
        pipeline.lambda_.delete_function_concurrency(FunctionName=pipeline.function)
    else:
        pipeline.lambda_.put_function_concurrency(FunctionName=pipeline.function, ReservedConcurrentExecutions=reserved)
    return reserved
