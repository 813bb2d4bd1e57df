"""Templates as people write them: JSON or YAML, CloudFormation or SAM."""

import json
import logging
from pathlib import Path
from typing import Any

import boto3
from cfnlint.decode import decode
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from stacks.gates.intrinsics import InvalidTemplate
from stacks.gates.template import as_list, mapping

_SAM = "AWS::Serverless-2016-10-31"
_LOCAL = ("CodeUri", "ContentUri", "DefinitionUri")
_IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/packaged:here"


class File:
    """A template in a file, with the lines on which its resources are."""

    def __init__(self, path: Path) -> None:
        """Read and, if it is written in SAM, translate. Raises InvalidTemplate."""
        template, problems = decode(str(path))
        if template is None or problems:
            raise InvalidTemplate("; ".join(f"line {each.linenumber}: {each.message}" for each in problems))
        if not isinstance(template, dict):
            raise InvalidTemplate("it is no mapping")
        resources = mapping(template.get("Resources"))
        self._lines = {name: name.start_mark.line + 1 for name in resources if hasattr(name, "start_mark")}
        self.template: dict[str, Any] = json.loads(json.dumps(template, default=str))
        if _SAM in as_list(template.get("Transform")):
            self.template = _translated(self.template)

    def line(self, resource: str) -> int:
        """Where a resource begins; one that SAM made, where the one begins that it is made of; 1 if nobody knows."""
        origins = [name for name in self._lines if resource.startswith(name)]
        return self._lines[max(origins, key=len)] if origins else 1


def _translated(template: dict[str, Any]) -> dict[str, Any]:
    """The CloudFormation that SAM makes of a template."""
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    for parent in (mapping(template.get("Globals")), *mapping(template.get("Resources")).values()):
        for properties in (mapping(parent).get("Properties"), *mapping(parent).values()):
            for name in _LOCAL:
                # The translator takes only what is in S3 already, as it is after `sam package`.
                if isinstance(properties, dict) and isinstance(properties.get(name), str):
                    properties[name] = "s3://packaged/here"
        properties = mapping(parent).get("Properties")
        if isinstance(properties, dict) and properties.get("PackageType") == "Image":
            properties.setdefault("ImageUri", _IMAGE)  # or `sam build` makes one
    translator = Translator(
        managed_policy_map={}, sam_parser=Parser(), boto_session=boto3.Session(region_name="us-east-1")
    )
    try:
        translated: dict[str, Any] = translator.translate(sam_template=template, parameter_values={})
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise InvalidTemplate(f"SAM cannot translate it: {causes}") from error
    return translated
