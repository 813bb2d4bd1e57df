"""The assets of a template that the CDK synthesized: its functions' packages and its nested templates."""

import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .rules.rule import Package
from .template import FUNCTION, InvalidTemplate, as_text, at, mapping


class Assets:
    """The assets that the CDK lists in a folder's `*.assets.json`. A folder without such a file has no assets."""

    def __init__(self, folder: Path) -> None:
        lists = [mapping(at(json.loads(path.read_text()), "files")) for path in folder.glob("*.assets.json")]
        sources = {name: at(asset, "source", "path") for files in lists for name, asset in files.items()}
        self._paths = {name: folder / str(source) for name, source in sources.items() if source is not None}

    def packages(self, template: Mapping[str, Any]) -> dict[str, Package]:
        """The packages of a template's functions by logical id, without those that are not among the assets.

        Raises InvalidTemplate for an asset that is missing on the disk.
        """
        return {name: _package(path) for name, path in self._assets_of(template, FUNCTION, "Code", "S3Key")}

    def nested(self, template: Mapping[str, Any]) -> list[Path]:
        """The templates of a template's nested stacks."""
        return [path for _, path in self._assets_of(template, "AWS::CloudFormation::Stack", "TemplateURL")]

    def _assets_of(
        self, template: Mapping[str, Any], resource_type: str, *property_path: str
    ) -> Iterator[tuple[str, Path]]:
        """The assets to which a property refers in the resources of a type, by the resources' logical ids."""
        for name, resource in mapping(template.get("Resources")).items():
            value = at(resource, "Properties", *property_path) if at(resource, "Type") == resource_type else None
            # The CDK stores an asset under its hash: .../<hash>.zip
            found = self._paths.get(as_text(value).rpartition("/")[2].partition(".")[0])
            if value and found:
                yield name, found


def _package(path: Path) -> Package:
    """The package in a zip file or in a folder."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    elif not path.is_dir():
        raise InvalidTemplate(f"the package {path} is neither a folder nor a zip file")
    else:
        files = (file for file in path.rglob("*") if file.is_file())
        sizes = {file.relative_to(path).as_posix(): file.stat().st_size for file in files}
    return Package(sum(sizes.values()), frozenset(name.partition("/")[0] for name in sizes))
