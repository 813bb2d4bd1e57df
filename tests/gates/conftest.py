"""A template that breaks no rule, and templates that differ from it in one thing."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from stacks.gates.files import File

SAFE = Path(__file__).parent / "safe.yaml"
_SAFE_TEMPLATE = File(SAFE).template

GONE: Final = object()

Changes = Mapping[str, Any]


def changed(changes: Changes) -> dict[str, Any]:
    """The safe template with other values, by their paths; `GONE` takes a value out.

    `Ingest` is a resource, `Ingest.Timeout` a property, `/Parameters.Email` elsewhere; numbers count in lists.
    """
    template = copy.deepcopy(_SAFE_TEMPLATE)
    for path, value in changes.items():
        name, *rest = path.split(".")
        keys: list[Any] = [name.removeprefix("/")] if name.startswith("/") else ["Resources", name]
        if rest and not name.startswith("/"):
            keys.append("Properties")
        keys += [int(key) if key.isdigit() else key for key in rest]
        parent: Any = template
        for key in keys[:-1]:
            parent = parent[key]
        if value is GONE:
            del parent[keys[-1]]
        elif isinstance(parent, list) and keys[-1] == len(parent):
            parent.append(value)
        else:
            parent[keys[-1]] = copy.deepcopy(value)
    return template
