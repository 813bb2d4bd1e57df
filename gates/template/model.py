"""The template as the rules see it."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from .alarms import ALARM, Alarm
from .decisions import Decision, either
from .intrinsics import Given, resolve
from .notifications import Notification, notifications, subscriptions
from .opaque import opaque_parts
from .resources import ROLE, Invoked, Resource, Resources
from .statements import Attached, Statement, attached_statements, statements_of_aws, statements_with
from .triggers import Trigger, asynchronous, triggers
from .values import at, mapping


class Template(Resources):
    """The resources of a template, and how they are connected: triggers, permissions, subscriptions."""

    def __init__(self, body: Mapping[str, Any], given: Given | None = None) -> None:
        """Resolve a template, as its JSON or YAML reads, with given values of parameters. Raises InvalidTemplate."""
        super().__init__(
            {
                name: Resource(name, each["Type"], mapping(at(each, "Properties")), mapping(each.get("Metadata")))
                for name, each in resolve(body, given).items()
            }
        )
        self.metadata = mapping(body.get("Metadata"))
        self.opaque = list(opaque_parts(body, self.by_id))
        """What only CloudFormation can expand: the resource or the section, the path, and what replaces it."""

    @cached_property
    def triggers(self) -> list[Trigger]:
        """What uploads start: directly, or through topics, queues and EventBridge."""
        return triggers(self)

    @cached_property
    def told(self) -> list[Notification]:
        """What buckets, and EventBridge's rules about uploads, tell whom."""
        return notifications(self)

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

    @cached_property
    def alarms(self) -> list[Alarm]:
        """The CloudWatch alarms, without the composite ones."""
        return [Alarm(resource) for resource in self.of_type(ALARM)]

    def roles_of(self, function: str) -> set[str]:
        """The role of a function, if it is in the template."""
        role = self.find(ROLE, self.by_id[function].get("Role"))
        return {role.id} if role else set()

    def attached_to(self, target: Resource, *policy_types: str) -> list[Attached]:
        """The statements of the policies of some types that are, or may be, attached to a bucket or a queue."""
        return list(attached_statements(self, target, *policy_types))

    def has_subscriber(self, topic: Resource) -> Decision:
        """Whether anything is subscribed to a topic."""
        return either(self.is_at(topic, arn) for arn, _ in subscriptions(self))
