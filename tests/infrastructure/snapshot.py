"""Templates as text, for people to read in a review: `make snapshot` writes them."""

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from gates.plugin import guard
from local.processes import PROJECT
from tests.infrastructure.conftest import POSTGRESQL, Synthesized, app_of, stack_of
from tests.templates import readable

SNAPSHOT = Path(__file__).parent / "snapshot.yaml"
"""The whole template of the default stage."""

POSTGRESQL_SNAPSHOT = Path(__file__).parent / "snapshot-postgresql.yaml"
"""What is new or different with a PostgreSQL feed beside the default feed."""

MERGE_SNAPSHOT = Path(__file__).parent / "snapshot-merge.yaml"
"""What is different if the default feed merges."""

_OF_VENDORS = {"key_prefix": "vendors/", "expect": "daily 06:00 Europe/Berlin", "rejects_to": "returned/"}
_WITH_POSTGRESQL: dict[str, Any] = {
    "feeds": {"default": {"key_prefix": "incoming/"}, "vendors": {**POSTGRESQL, **_OF_VENDORS}}
}


def current() -> dict[Path, str]:
    """The snapshots as they would be written now."""
    default = _resources()
    others = {POSTGRESQL_SNAPSHOT: _resources(**_WITH_POSTGRESQL), MERGE_SNAPSHOT: _resources(write_mode="merge")}
    different = {
        path: {name: each for name, each in resources.items() if default.get(name) != each}
        for path, resources in others.items()
    }
    return {path: _to_yaml(resources) for path, resources in [(SNAPSHOT, default), *different.items()]}


def _resources(**context: Any) -> dict[str, Any]:
    """The resources, references as `${Name.Attribute}`, without what changes with every package or CDK."""
    app = app_of(**context)
    guard(app)
    resources = {
        name: readable(each)
        for name, each in Synthesized(stack_of(app)).template["Resources"].items()
        if each["Type"] != "AWS::CDK::Metadata"
    }
    for resource in resources.values():
        properties = resource.get("Properties", {})
        if "ZipFile" in properties.get("Code", {}):  # the CDK's own: a digest tells that it is another one
            properties["Code"] = {"ZipFile": hashlib.sha256(properties["Code"]["ZipFile"].encode()).hexdigest()}
        if "DashboardBody" in properties:
            properties["DashboardBody"] = json.loads(properties["DashboardBody"])
        resource.get("Metadata", {}).pop("aws:cdk:path", None)
    return resources


def _to_yaml(resources: dict[str, Any]) -> str:
    # As JSON first, or YAML would write what occurs twice as a reference to itself.
    text = yaml.safe_dump(json.loads(json.dumps(resources)), sort_keys=False, width=120, allow_unicode=True)
    text = re.sub(r"\b[0-9a-f]{64}\.zip\b", "ASSET.zip", text)
    return re.sub(r"(CurrentVersion)[0-9A-F]{8}[0-9a-f]{32}", r"\1", text)  # another one for each package


if __name__ == "__main__":
    for path, text in current().items():
        path.write_text(text)
        sys.stdout.write(f"{path.relative_to(PROJECT)} is written: look at its difference before you commit it\n")
