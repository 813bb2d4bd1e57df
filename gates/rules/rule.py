"""What a rule is, what it looks at, and what it finds."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from ..template import FUNCTION, Resource, Template


@dataclass(frozen=True)
class Package:
    """A function's package: its unpacked size in bytes, and the names of its top-level files and folders."""

    size: int
    names: frozenset[str]


@dataclass(frozen=True)
class CheckContext:
    """What a check looks at."""

    template: Template
    today: date
    packages: Mapping[str, Package]
    """Packages by their functions' logical ids, as far as they are known."""

    @property
    def functions(self) -> list[Resource]:
        return self.template.of_type(FUNCTION)


@dataclass(frozen=True)
class Violation:
    """A place where a template breaks a rule."""

    resource: str
    """The logical id."""
    path: str
    """The property of the resource."""
    detail: str
    warning: bool = False
    """Whether the violation is only a warning."""


def undecided(resource: str, path: str, reason: str) -> Violation:
    """A warning that only the deployment knows whether a place breaks the rule."""
    return Violation(resource, path, f"cannot be decided: {reason}", warning=True)


def unknown(resource: str, path: str, value: Any) -> Violation:
    """A warning that only the deployment knows the value that the rule is about."""
    return undecided(resource, path, f"only the deployment knows {value}")


Check = Callable[[CheckContext], Iterator[Violation]]


@dataclass(frozen=True)
class Rule:
    """A rule: its id, why it matters in one sentence, how to fix a violation, and the check that finds violations."""

    id: str
    why: str
    fix: str
    check: Check


def rule(id_: str, *, why: str, fix: str) -> Callable[[Check], Rule]:
    """Make a rule of the check below it."""
    return lambda check: Rule(id_, why, fix, check)
