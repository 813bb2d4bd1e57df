"""Templates in files: JSON or YAML, CloudFormation or SAM."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from cfnlint.decode import decode
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from gates.template import InvalidTemplate, as_list, mapping

_SAM = "AWS::Serverless-2016-10-31"
_LOCAL_PATHS = ("CodeUri", "ContentUri", "DefinitionUri")
_S3_URI = "s3://packaged/here"
_IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/packaged:here"


class TemplateFile:
    """A template in a file, with the lines where its resources begin."""

    def __init__(self, path: Path) -> None:
        """Read the template, and translate it to CloudFormation if it is written in SAM. Raises InvalidTemplate."""
        template, problems = decode(str(path))
        if template is None or problems:
            raise InvalidTemplate("; ".join(f"line {each.linenumber}: {each.message}" for each in problems))
        if not isinstance(template, dict):
            raise InvalidTemplate("it is no mapping")
        resources = mapping(template.get("Resources"))
        self._lines = {name: name.start_mark.line + 1 for name in resources if hasattr(name, "start_mark")}
        self.template: dict[str, Any] = json.loads(json.dumps(template, default=str))
        if _SAM in as_list(template.get("Transform")):
            self.template = _translate(self.template)

    def line(self, resource: str) -> int:
        """The line where a resource begins, or where the SAM resource begins that it was made of; 1 if unknown."""
        origins = [name for name in self._lines if resource.startswith(name)]
        return self._lines[max(origins, key=len)] if origins else 1


def _translate(template: dict[str, Any]) -> dict[str, Any]:
    """The CloudFormation template that SAM makes of a template. Raises InvalidTemplate."""
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    for parent in (mapping(template.get("Globals")), *mapping(template.get("Resources")).values()):
        _package(mapping(parent))
    translator = Translator(
        managed_policy_map={}, sam_parser=Parser(), boto_session=boto3.Session(region_name="us-east-1")
    )
    try:
        translated: dict[str, Any] = translator.translate(sam_template=template, parameter_values={})
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise InvalidTemplate(f"SAM cannot translate it: {causes}") from error
    return translated


def _package(parent: Mapping[str, Any]) -> None:
    """Replace the local paths of a resource or of `Globals`, as `sam package` does: SAM translates only S3 URIs."""
    for properties in (mapping(parent.get("Properties")), *parent.values()):
        for name in _LOCAL_PATHS:
            if isinstance(properties, dict) and isinstance(properties.get(name), str):
                properties[name] = _S3_URI
    properties = parent.get("Properties")
    if isinstance(properties, dict) and properties.get("PackageType") == "Image":
        properties.setdefault("ImageUri", _IMAGE)  # `sam build` sets one
