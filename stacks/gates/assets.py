"""What a template needs beside itself, where the CDK put it: its functions' packages, its nested templates."""

import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stacks.gates.intrinsics import InvalidTemplate, as_text
from stacks.gates.rules import Package
from stacks.gates.template import FUNCTION, mapping


class Assets:
    """The assets of the templates in a folder, as the CDK lists them there; none if the folder is not the CDK's."""

    def __init__(self, folder: Path) -> None:
        lists = [mapping(json.loads(path.read_text())).get("files") for path in folder.glob("*.assets.json")]
        sources = {name: mapping(asset).get("source") for files in lists for name, asset in mapping(files).items()}
        self._paths = {
            name: folder / str(mapping(source)["path"]) for name, source in sources.items() if "path" in mapping(source)
        }

    def packages(self, template: Mapping[str, Any]) -> dict[str, Package]:
        """The packages of a template's functions, by their logical ids. One that is elsewhere is left out.

        Raises InvalidTemplate for one that should be here and is not.
        """
        return {name: _package(path) for name, path in self._named(template, FUNCTION, "Code", "S3Key")}

    def nested(self, template: Mapping[str, Any]) -> list[Path]:
        """The templates of a template's nested stacks."""
        return [path for _, path in self._named(template, "AWS::CloudFormation::Stack", "TemplateURL")]

    def _named(self, template: Mapping[str, Any], kind: str, *keys: str) -> Iterator[tuple[str, Path]]:
        """The assets that a property of the resources of a type names, by the resources' logical ids."""
        for name, resource in mapping(template.get("Resources")).items():
            value = mapping(resource).get("Properties") if mapping(resource).get("Type") == kind else None
            for key in keys:
                value = mapping(value).get(key)
            # An asset is stored under its hash: .../<hash>.zip
            found = self._paths.get(as_text(value).rpartition("/")[2].partition(".")[0])
            if value and found:
                yield name, found


def _package(path: Path) -> Package:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    elif not path.is_dir():
        raise InvalidTemplate(f"the package {path} is neither a folder nor a zip file")
    else:
        files = (file for file in path.rglob("*") if file.is_file())
        sizes = {file.relative_to(path).as_posix(): file.stat().st_size for file in files}
    return Package(sum(sizes.values()), frozenset(name.partition("/")[0] for name in sizes))
