"""The template as the rules see it."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from gates.template.intrinsics import Given, resolve
from gates.template.notifications import subscriptions
from gates.template.resources import ROLE, TOPIC, Invoked, Resource, Resources
from gates.template.statements import Statement, resource_policy_statements, statements_of_aws, statements_with
from gates.template.triggers import Trigger, asynchronous, triggers
from gates.template.values import mapping


class Template(Resources):
    """The resources of a template, and how they are connected: triggers, permissions, subscriptions."""

    def __init__(self, body: Mapping[str, Any], given: Given | None = None) -> None:
        """Resolve a template, as its JSON or YAML reads, with given values of parameters. Raises InvalidTemplate."""
        super().__init__(
            {
                name: Resource(name, each["Type"], mapping(each.get("Properties")), mapping(each.get("Metadata")))
                for name, each in resolve(body, given).items()
            }
        )

    @cached_property
    def triggers(self) -> list[Trigger]:
        """What uploads start: directly, or through topics, queues and EventBridge."""
        return triggers(self)

    @cached_property
    def asynchronous(self) -> frozenset[Invoked]:
        """What S3, SNS, EventBridge or EventBridge Scheduler invokes."""
        return asynchronous(self)

    @cached_property
    def allowed(self) -> list[Statement]:
        """What the template's policies allow, and the managed policies of AWS that it attaches."""
        return [*statements_with("Allow", self), *statements_of_aws(self)]

    @cached_property
    def denied(self) -> list[Statement]:
        """What the template's policies deny."""
        return list(statements_with("Deny", self))

    def roles_of(self, function: str) -> set[str]:
        """The role of a function, if it is in the template."""
        role = self.find(ROLE, self.by_id[function].get("Role"))
        return {role.id} if role else set()

    def policies_of(self, target: Resource, *policy_types: str) -> list[Mapping[str, Any]]:
        """The statements, as written, of the policies of some types that are attached to a bucket or a queue."""
        return list(resource_policy_statements(self, target, *policy_types))

    def has_subscriber(self, topic: Resource) -> bool:
        """Whether anything is subscribed to a topic."""
        return any(self.find(TOPIC, arn) == topic for arn, _ in subscriptions(self))
