"""Decisions that may depend on what only the deployment knows: True, False, or None for unknown."""

from collections.abc import Iterable

Decision = bool | None


def either(decisions: Iterable[Decision]) -> Decision:
    """Whether one of them is true."""
    found = set(decisions)
    return True if True in found else None if None in found else False


def every(*decisions: Decision) -> Decision:
    """Whether all of them are true."""
    return False if False in decisions else None if None in decisions else True


def opposite(decision: Decision) -> Decision:
    """Whether it is false."""
    return None if decision is None else not decision
