"""Reads the settings from CDK context: `cdk deploy -c stage=prod -c alarm_email=oncall@example.com`, or cdk.json.

Values from the command line are text. Values from cdk.json are JSON.
"""

import difflib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from stacks.setting_types import NONE, SettingType
from stacks.settings import Settings

_TYPES: Mapping[str, SettingType] = {setting.name: setting.metadata["type"] for setting in fields(Settings)}
_TYPES_IN_STAGE = {name: type_ for name, type_ in _TYPES.items() if name != "stage"}

# `stages` is read by itself; the CDK's command line keeps the others in cdk.context.json.
_NOT_SETTINGS = {"stages", "acknowledged-issue-numbers", "cli-telemetry"}


class InvalidSetting(ValueError):
    """A setting that cannot be used. The message names its key, its value and what is allowed."""


def settings_from_context(context: Mapping[str, Any]) -> Settings:
    """Return the settings for the stage that the context names. Raises InvalidSetting.

    The key `stages` holds settings of single stages by the stage's name. Keys with a colon belong to the CDK. Every
    other key must be a setting: a misspelt key would otherwise deploy the default silently.
    """
    # Every stage is checked, whichever is deployed: an error in prod's settings is found before prod is deployed.
    stages = _parse_stages(context.get("stages", {}))
    values = _parse({key: value for key, value in context.items() if ":" not in key and key not in _NOT_SETTINGS})
    of_stage = stages.get(values.get("stage", Settings.stage), {})
    if twice := sorted(of_stage.keys() & values.keys()):
        raise InvalidSetting(f"{', '.join(twice)}: set for the stage and outside of it, in cdk.json or with -c")
    return Settings(**values, **of_stage)


def _parse_stages(stages: Any) -> dict[str, dict[str, Any]]:
    parsed = {}
    for name, given in _require_object(stages, "stages").items():
        _parse({"stage": name}, "stages: ")
        parsed[name] = _parse(_require_object(given, f"stages.{name}"), f"stages.{name}.", types=_TYPES_IN_STAGE)
    return parsed


def _parse(given: Mapping[str, Any], where: str = "", *, types: Mapping[str, SettingType] = _TYPES) -> dict[str, Any]:
    """Parse the values of settings. `where` precedes their keys in a message."""
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in types:
            raise InvalidSetting(f"unknown setting {where}{key}{_hint(key)} There are: {', '.join(_TYPES)}")
        try:
            values[key] = types[key].parse(_command_line_text(value, types[key]))
        except (ValueError, LookupError, TypeError) as error:
            raise InvalidSetting(f"setting {where}{key}={value!r}: allowed is {types[key].allowed}") from error
    return values


def _hint(unknown: str) -> str:
    near = difflib.get_close_matches(unknown, _TYPES, n=1)
    return f", did you mean {near[0]}?" if near else "."


def _require_object(value: Any, key: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidSetting(f"setting {key}={value!r}: allowed is an object in cdk.json")
    return value


def _command_line_text(value: Any, type_: SettingType) -> str:
    """Convert a value from the context to the text that would follow `-c key=`.

    Raises ValueError for a null where the setting is required, and for an object whose names or values have no such
    text; TypeError for a list of anything but text.
    """
    if value is None:
        if not type_.optional:
            raise ValueError(value)
        return NONE
    if isinstance(value, Mapping):
        if not all(isinstance(each, str) and "," not in each and "=" not in name for name, each in value.items()):
            raise ValueError(value)
        return ",".join(f"{name}={each}" for name, each in value.items())
    return ",".join(value) if isinstance(value, list) else str(value)
