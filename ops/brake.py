"""The emergency brake: the reserved concurrency of a feed's ingest function, to 0 and back."""

from collections.abc import Iterable
from typing import Any

import boto3

from ops.feed import Feed
from ops.pipeline import Pipeline

PAUSED = "the pipeline is paused"
"""Why something does not go on, if there is one feed."""


def pause(feed: Feed) -> None:
    """Start no delivery any more; those that run, end. Lambda sends new events straight to the failure queue."""
    feed.pipeline.lambda_.put_function_concurrency(FunctionName=feed.function, ReservedConcurrentExecutions=0)


def is_paused(feed: Feed) -> bool:
    """Whether the brake is on."""
    answer = feed.pipeline.lambda_.get_function_concurrency(FunctionName=feed.function)
    return answer.get("ReservedConcurrentExecutions") == 0


def paused(feeds: Iterable[Feed]) -> list[Feed]:
    """The feeds of which the brake is on."""
    return [feed for feed in feeds if is_paused(feed)]


def why(pipeline: Pipeline, feed: Feed) -> str:
    """Why something of a paused feed does not go on."""
    return PAUSED if len(pipeline.feeds) == 1 else f"the feed {feed.name} is paused"


def resume_words(pipeline: Pipeline, feed: Feed) -> tuple[str, ...]:
    """The words of the command that ends the pause of a feed, and of no other."""
    return ("resume",) if len(pipeline.feeds) == 1 else ("resume", "--feed", feed.name)


def resume(pipeline: Pipeline, feed: Feed) -> int | None:
    """Set the reservation to what the stack's template says, and return it; None is no reservation."""
    cloudformation = boto3.client("cloudformation")
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=pipeline.stack)
    resources = [each for page in pages for each in page["StackResourceSummaries"]]
    [id_] = [each["LogicalResourceId"] for each in resources if each.get("PhysicalResourceId") == feed.function]
    template: Any = cloudformation.get_template(StackName=pipeline.stack)["TemplateBody"]
    reserved: int | None = template["Resources"][id_]["Properties"].get("ReservedConcurrentExecutions")
    if reserved is None:
        pipeline.lambda_.delete_function_concurrency(FunctionName=feed.function)
    else:
        pipeline.lambda_.put_function_concurrency(FunctionName=feed.function, ReservedConcurrentExecutions=reserved)
    return reserved
