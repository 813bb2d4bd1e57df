"""The resources of a template, and which of them a name, an ARN or a URL refers to."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .decisions import Decision
from .values import at, mappings

FUNCTION = "AWS::Lambda::Function"
ALIAS = "AWS::Lambda::Alias"
VERSION = "AWS::Lambda::Version"
PERMISSION = "AWS::Lambda::Permission"
INVOKE_CONFIG = "AWS::Lambda::EventInvokeConfig"
EVENT_SOURCE = "AWS::Lambda::EventSourceMapping"
BUCKET = "AWS::S3::Bucket"
BUCKET_POLICY = "AWS::S3::BucketPolicy"
CDK_NOTIFICATIONS = "Custom::S3BucketNotifications"
QUEUE = "AWS::SQS::Queue"
TOPIC = "AWS::SNS::Topic"
SUBSCRIPTION = "AWS::SNS::Subscription"
RULE = "AWS::Events::Rule"
SCHEDULE = "AWS::Scheduler::Schedule"
ROLE = "AWS::IAM::Role"
MANAGED_POLICY = "AWS::IAM::ManagedPolicy"
LOG_GROUP = "AWS::Logs::LogGroup"
LOG_SUBSCRIPTION = "AWS::Logs::SubscriptionFilter"

_NAME_PROPERTIES = {
    FUNCTION: "FunctionName",
    BUCKET: "BucketName",
    QUEUE: "QueueName",
    TOPIC: "TopicName",
    ROLE: "RoleName",
    LOG_GROUP: "LogGroupName",
    MANAGED_POLICY: "ManagedPolicyName",
}
# The whole text, or the end of an ARN or a path: `${Uploads}-done` is not `${Uploads}`.
_REFERENCE = re.compile(r"(?:.*[:/])?\$\{(\w+)(?:\.[\w.]+)?\}(?::[\w$-]+)?")
_QUALIFIER = re.compile(r".*\}:([\w$-]+)")
_S3_ARN = re.compile(r"arn:(?:\$\{AWS::Partition\}|[\w*-]+):s3:::(.*)")
_ARN_OF_BUCKET = re.compile(r"(\$\{\w+)\.Arn(\}.*)")
# The text of a value, at the end of a name, an ARN or a URL.
_VALUE = re.compile(r"(?:.*[:/])?\$\{([^}]*)\}")
_CUSTOM = ("AWS::CloudFormation::", "Custom::")
"""Types whose attributes only the deployment knows: nested stacks and custom resources."""


@dataclass(frozen=True)
class Resource:
    """A resource with its intrinsic functions resolved."""

    id: str
    """The logical id."""
    type: str
    properties: Mapping[str, Any] = field(repr=False)
    metadata: Mapping[str, Any] = field(repr=False)

    def get(self, *path: str) -> Any:
        """The property under a path of names; None if it is not set."""
        return at(self.properties, *path)

    def mappings(self, name: str) -> list[Mapping[str, Any]]:
        """The mappings, one or a list of them, in a property."""
        return mappings(self.properties, name)


class Invoked(NamedTuple):
    """A function, and the qualifier (alias, version or `$LATEST`) by which it is invoked."""

    function: str
    qualifier: str


class Resources:
    """The resources of a template by logical id, in the template's order."""

    def __init__(self, resources: Mapping[str, Resource]) -> None:
        self.by_id = resources
        self._by_type = defaultdict(list)
        for resource in resources.values():
            self._by_type[resource.type].append(resource)

    def of_type(self, *types: str) -> list[Resource]:
        return [resource for each in types for resource in self._by_type.get(each, [])]

    def find(self, resource_type: str, reference: Any) -> Resource | None:
        """The resource of a type that a name, an ARN or a URL refers to, by logical id or by its given name."""
        text = str(reference)
        match = _REFERENCE.fullmatch(text)
        if match and (found := self.by_id.get(match[1])):
            return found if found.type == resource_type else None
        for resource in self.of_type(resource_type):
            name = resource.properties.get(_NAME_PROPERTIES.get(resource_type, ""))
            if name and (text == name or text.endswith((f":{name}", f"/{name}"))):
                return resource
        return None

    def is_outside(self, reference: Any) -> bool:
        """Whether only the deployment knows the resource: a parameter, an import or a nested stack refers to it."""
        match = _VALUE.fullmatch(str(reference))
        if not match or match[1].startswith("AWS::"):
            return False
        found = self.by_id.get(match[1].partition(".")[0])
        return found is None or found.type.startswith(_CUSTOM)

    def is_at(self, resource: Resource, reference: Any) -> Decision:
        """Whether a name, an ARN or a URL refers to a resource."""
        if self.find(resource.type, reference) == resource:
            return True
        return None if self.is_outside(reference) else False

    def invoked(self, reference: Any) -> Invoked | None:
        """The function that a name or an ARN refers to, directly or through an alias or a version."""
        for resource_type in (ALIAS, VERSION):
            if qualified := self.find(resource_type, reference):
                inner = self.invoked(qualified.get("FunctionName"))
                return inner and Invoked(inner.function, str(qualified.properties.get("Name", qualified.id)))
        if found := self.find(FUNCTION, reference):
            match = _QUALIFIER.fullmatch(str(reference))
            return Invoked(found.id, match[1] if match else "$LATEST")
        name, _, qualifier = str(reference).rpartition(":")
        found = self.find(FUNCTION, name) if ":function:" in name else None
        return Invoked(found.id, qualifier) if found else None

    def bucket_and_keys(self, reference: Any) -> tuple[str, str]:
        """What the name or the ARN of a bucket or of objects refers to.

        Returns the bucket's logical id, or its name if the template does not have the bucket, and the pattern of keys.
        """
        text = re.sub(_ARN_OF_BUCKET, r"\1\2", re.sub(_S3_ARN, r"\1", str(reference)))
        name, _, keys = text.partition("/")
        found = self.find(BUCKET, name)
        return (found.id if found else name), keys
