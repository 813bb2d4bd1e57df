"""Templates in a form that tests can compare: references as text, statements by role."""

from collections.abc import Iterator, Mapping
from typing import Any


def readable(value: Any) -> Any:  # noqa: PLR0911  a table
    """A value of a template with references as text: `${Name}`, `${Name.Attribute}`.

    Raises NotImplementedError for a function of CloudFormation that this project's templates do not use.
    """
    match value:
        case {"Ref": name}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"${{{name}.{attribute}}}"
        case {"Fn::Join": [separator, parts]}:
            return separator.join(str(readable(part)) for part in parts)
        case {"Fn::Sub": str(text)}:
            return text
        case dict():
            if any(name.startswith("Fn::") for name in value):
                raise NotImplementedError(str(value))
            return {name: readable(each) for name, each in value.items()}
        case list():
            return [readable(each) for each in value]
    return value


def as_list(value: Any) -> list[Any]:
    """The value, which a policy may write without the list if it is the only one."""
    return value if isinstance(value, list) else [value]


def statements_of(role: str, resources: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The statements of the one role whose logical id contains a text: inline, and of the policies attached to it.

    `resources` have their references as `readable` text.
    """
    [id_] = [id_ for id_, each in resources.items() if each["Type"] == "AWS::IAM::Role" and role in id_]
    policies = list(resources[id_]["Properties"].get("Policies", []))
    policies += [
        each["Properties"]
        for each in resources.values()
        if each["Type"] == "AWS::IAM::Policy" and f"${{{id_}}}" in each["Properties"]["Roles"]
    ]
    for policy in policies:
        yield from policy["PolicyDocument"]["Statement"]
