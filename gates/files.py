"""Templates in files: JSON or YAML, CloudFormation or SAM."""

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from cfnlint.decode import cfn_yaml, decode
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from yaml import MappingNode

from .template import InvalidTemplate, as_list, at, expanded, is_opaque_resource, mapping

_SAM = "AWS::Serverless-2016-10-31"
_LOCAL_PATHS = ("CodeUri", "ContentUri", "DefinitionUri")
_PACKAGED = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}
_MUST_BE_KNOWN = ("AutoPublishAlias", "AutoPublishCodeSha256")
"""Properties whose parameter SAM has to know: its default or, without one, its name."""
_S3_URI = "s3://packaged/here"
_IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/packaged:here"


class TemplateFile:
    """A template in a file, with the lines where its resources begin."""

    def __init__(self, path: Path) -> None:
        """Read the template, and translate it to CloudFormation if it is written in SAM. Raises InvalidTemplate."""
        template, problems = decode(str(path))
        if problems and all(each.message.startswith("Duplicate found") for each in problems):
            template, problems = _last_of_doubled_keys(path), []
        if template is None or problems:
            raise InvalidTemplate("; ".join(f"line {each.linenumber}: {each.message}" for each in problems))
        if not isinstance(template, dict):
            raise InvalidTemplate("it is no mapping")
        resources = mapping(template.get("Resources"))
        self._lines = {
            part: name.start_mark.line + 1
            for name in resources
            if hasattr(name, "start_mark")
            for part in (name, *_beginnings(resources[name]))
        }
        self.template: Mapping[str, Any] = expanded(json.loads(json.dumps(template, default=str)))
        if _SAM in as_list(template.get("Transform")):
            self.template = _translate(self.template)

    def line(self, resource: str) -> int:
        """The line where a resource begins, or the SAM resource or the loop that it was made of; 1 if unknown."""
        return next((self._lines[name] for name in self.origin(resource)), 1)

    def origin(self, resource: str) -> list[str]:
        """The name in the file of a resource, of the SAM resource or the loop that it was made of; empty if unknown."""
        origins = [name for name in self._lines if resource.startswith(name)]
        return [max(origins, key=len)] if origins else []


class _Loader(cfn_yaml.CfnFullLoader):  # type: ignore[misc] # it has no types
    """Of a key that a mapping has twice, it takes the last, as CloudFormation does."""

    def construct_last(self, node: MappingNode) -> Any:
        node.value = list({key.value: (key, value) for key, value in node.value}.values())
        return self.construct_yaml_map(node)


_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.construct_last)
_Loader.add_multi_constructor("!", cfn_yaml.multi_constructor)


def _last_of_doubled_keys(path: Path) -> Any:
    return _Loader(path.read_text(encoding="utf-8"), str(path)).get_single_data()


def _beginnings(loop: Any) -> list[str]:
    """What the logical ids begin with that a loop makes, as far as they do not begin with a value of the loop."""
    bodies = [each for each in loop if isinstance(each, Mapping)] if isinstance(loop, list) else []
    return [begin for body in bodies for name in body if (begin := re.split(r"[$&]\{", str(name))[0])]


def _translate(template: Mapping[str, Any]) -> dict[str, Any]:
    """The CloudFormation template that SAM makes of a template. Raises InvalidTemplate."""
    # SAM takes the macro out, and knows only resources.
    macros = [each for each in as_list(template["Transform"]) if each != _SAM]
    resources = mapping(template.get("Resources"))
    opaque = {name: each for name, each in resources.items() if is_opaque_resource(name, each)}
    template = {**template, "Resources": {name: each for name, each in resources.items() if name not in opaque}}
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    # Of a state machine, SAM does not resolve a parameter that has a default either.
    given = {name: at(each, "Default") for name, each in mapping(template.get("Parameters")).items()}
    for parent in (mapping(template.get("Globals")), *mapping(template.get("Resources")).values()):
        _package(mapping(parent), given)
    translator = Translator(
        managed_policy_map={}, sam_parser=Parser(), boto_session=boto3.Session(region_name="us-east-1")
    )
    try:
        translated: dict[str, Any] = translator.translate(sam_template=template, parameter_values={})
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise InvalidTemplate(f"SAM cannot translate it: {causes}") from error
    return {**translated, "Resources": {**mapping(translated.get("Resources")), **opaque}, "Transform": macros}


def _package(parent: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Replace what SAM cannot translate in a resource or in `Globals`.

    `sam package` replaces local paths. `given` has the defaults of the parameters; None if only the deployment knows.
    """
    for properties in filter(lambda each: isinstance(each, dict), parent.values()):
        for name in _MUST_BE_KNOWN:
            if isinstance(reference := at(properties, name, "Ref"), str) and reference in given:
                properties[name] = given[reference] or reference
        for name in _LOCAL_PATHS:
            if isinstance(properties.get(name), str):
                properties[name] = _S3_URI
    if isinstance(properties := parent.get("Properties"), dict):
        _add_package(str(parent.get("Type")), properties)


def _add_package(resource_type: str, properties: dict[str, Any]) -> None:
    """Add the package of a resource that does not name it."""
    package = _PACKAGED.get(resource_type, "")
    if resource_type == "AWS::Serverless::Application":
        properties["Location"] = _S3_URI  # SAM asks the Serverless Application Repository for other locations
    elif properties.get("PackageType") == "Image":
        properties.setdefault("ImageUri", _IMAGE)  # `sam build` sets one
    elif package and properties.get(package) is None and not properties.keys() & {"InlineCode", "ImageUri"}:
        properties[package] = _S3_URI  # `sam package` packages the folder of the template
