"""The emergency brake: the reserved concurrency of a feed's ingest function, to 0 and back."""

import json
from collections.abc import Iterable
from typing import Any

import boto3

from .pipeline import DeployedFeed, Pipeline

PAUSED = "the pipeline is paused"  # why something does not go on, if there is one feed


def pause(feed: DeployedFeed) -> None:
    """Start no delivery any more; those that run, end. Lambda sends new events straight to the failure queue."""
    feed.clients.lambda_.put_function_concurrency(FunctionName=feed.function, ReservedConcurrentExecutions=0)


def is_paused(feed: DeployedFeed) -> bool:
    answer = feed.clients.lambda_.get_function_concurrency(FunctionName=feed.function)
    return answer.get("ReservedConcurrentExecutions") == 0


def paused(feeds: Iterable[DeployedFeed]) -> list[DeployedFeed]:
    return [feed for feed in feeds if is_paused(feed)]


def why(pipeline: Pipeline, feed: DeployedFeed) -> str:
    """Why something of a paused feed does not go on."""
    return PAUSED if len(pipeline.feeds) == 1 else f"the feed {feed.name} is paused"


def resume_words(pipeline: Pipeline, feed: DeployedFeed) -> tuple[str, ...]:
    """The words of the command that ends the pause of a feed, and of no other."""
    return ("resume",) if len(pipeline.feeds) == 1 else ("resume", "--feed", feed.name)


def resume(pipeline: Pipeline, feed: DeployedFeed) -> int | None:
    """Set the reservation to what the settings of the feed say, and return it; None is no reservation."""
    settings = feed.environment.get("FEED", "")
    # Of a later release, this setting is read alone: others can be unknown here.
    is_json = settings.startswith("{")
    reserved = json.loads(settings)["reserved_concurrency"] if is_json else _in_template(pipeline.stack, feed.function)
    if reserved is None:
        feed.clients.lambda_.delete_function_concurrency(FunctionName=feed.function)
        return None
    feed.clients.lambda_.put_function_concurrency(FunctionName=feed.function, ReservedConcurrentExecutions=reserved)
    return int(reserved)


def _in_template(stack: str, function: str) -> int | None:
    """The reservation of a function whose environment does not say it: of a release before 1.2."""
    cloudformation = boto3.client("cloudformation")
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    resources = [each for page in pages for each in page["StackResourceSummaries"]]
    [id_] = [each["LogicalResourceId"] for each in resources if each.get("PhysicalResourceId") == function]
    template: Any = cloudformation.get_template(StackName=stack)["TemplateBody"]
    reserved: int | None = template["Resources"][id_]["Properties"].get("ReservedConcurrentExecutions")
    return reserved
