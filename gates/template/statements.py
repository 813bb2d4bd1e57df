"""What IAM policies and resource policies allow and deny."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple

from .aws_policies import allowed_by
from .decisions import Decision, either, opposite
from .resources import BUCKET_POLICY, MANAGED_POLICY, ROLE, Resource, Resources
from .values import as_list, at, document, is_unknown, mapping, numbered

_PRINCIPALS = (ROLE, "AWS::IAM::User", "AWS::IAM::Group")
_POLICIES = ("AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::UserPolicy", "AWS::IAM::GroupPolicy")

Effect = Literal["Allow", "Deny"]

_Located = tuple[str, str, set[str], Mapping[str, Any]]
"""The resource and the path where a statement is, the roles that it applies to, and the statement as written."""


@dataclass(frozen=True)
class Statement:
    """A statement of a policy, with the roles of the template that it applies to."""

    resource: str
    path: str
    roles: frozenset[str]
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    """NotAction: every action but these."""
    resources: tuple[str, ...] = ()
    not_resources: tuple[str, ...] = ()
    """NotResource: every resource but these."""
    unconditional: bool = True

    def includes(self, action: str) -> Decision:
        """Whether the statement applies to an action."""
        named = either(
            None if is_unknown(each) else fnmatchcase(action.lower(), each.lower())
            for each in (*self.actions, *self.not_actions)
        )
        return opposite(named) if self.not_actions else named


class Attached(NamedTuple):
    """A statement of a policy that is attached to a bucket or a queue."""

    policy: str
    """The logical id."""
    certain: Decision
    """Whether the policy is attached: true or unknown."""
    statement: Mapping[str, Any]
    """As written."""


def statements_with(effect: Effect, resources: Resources) -> Iterator[Statement]:
    """The statements of the template's policies that allow, or deny, something to a principal of the template.

    A statement whose effect is unknown allows an unknown action.
    """
    for located in (*_of_principals(resources), *_of_policies(resources), *_of_buckets(resources)):
        resource, path, roles, statement = located
        given = at(statement, "Effect")
        if given == effect or (effect == "Allow" and is_unknown(given)):
            yield Statement(
                resource,
                path,
                frozenset(roles),
                actions=_texts(at(statement, "Action") if given == effect else given),
                not_actions=_texts(statement.get("NotAction") if given == effect else None),
                resources=_texts(at(statement, "Resource")),
                not_resources=_texts(statement.get("NotResource")),
                unconditional=at(statement, "Condition") is None,
            )


def statements_of_aws(resources: Resources) -> Iterator[Statement]:
    """What the managed policies of AWS allow that the template's principals have."""
    for owner in resources.of_type(*_PRINCIPALS):
        for number, arn in numbered(owner.get("ManagedPolicyArns")):
            if allowed := allowed_by(str(arn)):
                path, roles = f"ManagedPolicyArns.{number}", frozenset({owner.id})
                yield Statement(owner.id, path, roles, actions=allowed.actions, resources=allowed.resources)


def attached_statements(resources: Resources, target: Resource, *policy_types: str) -> Iterator[Attached]:
    """The statements of the policies of some types that are, or may be, attached to a bucket or a queue."""
    for policy in resources.of_type(*policy_types):
        targets = [each for name in ("Bucket", "Queues", "Queue") for each in as_list(policy.get(name))]
        certain = either(resources.is_at(target, each) for each in targets)
        if certain is not False:
            for _, statement in _document_statements(policy.properties):
                yield Attached(policy.id, certain, statement)


def _of_principals(resources: Resources) -> Iterator[_Located]:
    """The inline policies of roles, users and groups."""
    for owner in resources.of_type(*_PRINCIPALS):
        for policy_number, policy in numbered(owner.get("Policies")):
            for number, statement in _document_statements(policy):
                path = f"Policies.{policy_number}.PolicyDocument.Statement.{number}"
                yield owner.id, path, {owner.id}, statement


def _of_policies(resources: Resources) -> Iterator[_Located]:
    """The policies that are resources of their own."""
    for policy in resources.of_type(*_POLICIES, MANAGED_POLICY):
        roles = _roles_with(resources, policy)
        for number, statement in _document_statements(policy.properties):
            yield policy.id, f"PolicyDocument.Statement.{number}", roles, statement


def _of_buckets(resources: Resources) -> Iterator[_Located]:
    """The statements of bucket policies that name roles of the template."""
    for policy in resources.of_type(BUCKET_POLICY):
        for number, statement in _document_statements(policy.properties):
            if roles := _roles_named(resources, at(statement, "Principal")):
                yield policy.id, f"PolicyDocument.Statement.{number}", roles, statement


def _document_statements(policy: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The statements of a policy, with their numbers in the template."""
    for number, statement in numbered(at(document(at(policy, "PolicyDocument")), "Statement")):
        yield number, mapping(statement)


def _roles_with(resources: Resources, policy: Resource) -> set[str]:
    """The roles that a policy is attached to, by its own properties or by the roles' ManagedPolicyArns."""
    names = [*as_list(policy.get("Roles")), *as_list(policy.get("RoleName"))]
    attached = {role.id for name in names if (role := resources.find(ROLE, name))}
    if policy.type != MANAGED_POLICY:
        return attached
    return attached | {
        role.id
        for role in resources.of_type(ROLE)
        for arn in as_list(role.get("ManagedPolicyArns"))
        if resources.find(MANAGED_POLICY, arn) == policy
    }


def _roles_named(resources: Resources, principal: Any) -> set[str]:
    """The roles of the template that a resource policy's principal names."""
    arns = as_list(principal.get("AWS")) if isinstance(principal, Mapping) else as_list(principal)
    if "*" in arns:
        return {role.id for role in resources.of_type(ROLE)}
    return {role.id for arn in arns if (role := resources.find(ROLE, arn))}


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, as_list(value)))
