"""Templates, as `cdk synth` makes them, without bundling the function."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from aws_cdk import App
from aws_cdk.assertions import Template

from stacks.context import settings_from_context
from stacks.ingest_stack import IngestStack


class Synthesized:
    """A template that is asked by resource type."""

    def __init__(self, **context: Any) -> None:
        settings = settings_from_context(context)
        app = App(context={"aws:cdk:bundling-stacks": []})
        stack = IngestStack(app, settings.stack_id, settings=settings)
        self.name = stack.stack_name
        self.template: dict[str, Any] = dict(Template.from_stack(stack).to_json())

    def all(self, kind: str) -> dict[str, Any]:
        """The resources of a type, by logical id."""
        return {id_: found for id_, found in self.template["Resources"].items() if found["Type"] == kind}

    def only(self, kind: str, contains: str = "") -> Any:
        """The one resource of a type (whose logical id contains a text)."""
        [found] = [resource for id_, resource in self.all(kind).items() if contains in id_]
        return found

    def id_of(self, kind: str, contains: str = "") -> str:
        [found] = [id_ for id_ in self.all(kind) if contains in id_]
        return found


@pytest.fixture(scope="session")
def synthesize() -> Callable[..., Synthesized]:
    """Synthesize with some settings, each combination once."""
    return cache(Synthesized)


@pytest.fixture(scope="session")
def stack(synthesize: Callable[..., Synthesized]) -> Synthesized:
    """The stack with every setting at its default."""
    return synthesize()
