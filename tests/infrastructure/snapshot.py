"""The template of the default stage as text, for people to read in a review: `make snapshot` writes it."""

import hashlib
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from local.processes import PROJECT
from tests.infrastructure.application import synth
from tests.templates import readable

SNAPSHOT = Path(__file__).parent / "snapshot.yaml"


def snapshot(template: dict[str, Any]) -> str:
    """YAML of the resources, references as `${Name.Attribute}`, without what changes with every package or CDK."""
    resources = {
        name: readable(each) for name, each in template["Resources"].items() if each["Type"] != "AWS::CDK::Metadata"
    }
    for resource in resources.values():
        properties = resource.get("Properties", {})
        if "ZipFile" in properties.get("Code", {}):  # the CDK's own: a digest tells that it is another one
            properties["Code"] = {"ZipFile": hashlib.sha256(properties["Code"]["ZipFile"].encode()).hexdigest()}
        if "DashboardBody" in properties:
            properties["DashboardBody"] = json.loads(properties["DashboardBody"])
        resource.get("Metadata", {}).pop("aws:cdk:path", None)
    # As JSON first, or YAML would write what occurs twice as a reference to itself.
    text = yaml.safe_dump(json.loads(json.dumps(resources)), sort_keys=False, width=120, allow_unicode=True)
    return re.sub(r"\b[0-9a-f]{64}\.zip\b", "ASSET.zip", text)


def current() -> str:
    """The snapshot as it would be written now. Raises RuntimeError if the app cannot be synthesized."""
    with tempfile.TemporaryDirectory() as folder:
        done = synth(Path(folder))
        if done.returncode:
            raise RuntimeError(done.stderr)
        return snapshot(json.loads((Path(folder) / "CsvIngest.template.json").read_text()))


if __name__ == "__main__":
    SNAPSHOT.write_text(current())
    sys.stdout.write(f"{SNAPSHOT.relative_to(PROJECT)} is written: look at its difference before you commit it\n")
