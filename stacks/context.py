"""Reads the settings from CDK context: `cdk deploy -c stage=prod -c alarm_email=oncall@example.com`, or cdk.json.

Values from the command line are text. Values from cdk.json are JSON.
"""

import difflib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from stacks.columns import InvalidColumn
from stacks.database_types import POSTGRESQL
from stacks.feed_settings import DEFAULT_FEED, LOW_CONCURRENCY, FeedSettings
from stacks.limits import problems
from stacks.setting_types import FEED_NAME, STAGE_NAME, SettingType, WrongJsonType
from stacks.settings import DEPLOYMENT_SETTINGS, FEED_SETTINGS, Settings

_TYPES: Mapping[str, SettingType] = {
    name: setting.metadata["type"] for name, setting in (DEPLOYMENT_SETTINGS | FEED_SETTINGS).items()
}
_IN_STAGE = _TYPES.keys() - {"stage"}

# `stages` is read by itself; the CDK's command line keeps the others in cdk.context.json.
_NOT_SETTINGS = {"stages", "acknowledged-issue-numbers", "cli-telemetry"}


class InvalidSetting(ValueError):
    """A setting that cannot be used. The message names its key, its value and what is allowed."""


@dataclass(frozen=True, kw_only=True)
class _Given:
    """The settings that one place has: a stage, or the context outside of the stages."""

    values: Mapping[str, Any]
    feeds: Mapping[str, Mapping[str, Any]]

    def keys(self) -> set[str]:
        """The keys of all values, as a message writes them."""
        return {*self.values, *(f"feeds.{name}.{key}" for name, feed in self.feeds.items() for key in feed)}


_NOTHING = _Given(values={}, feeds={})


def settings_from_context(context: Mapping[str, Any]) -> Settings:
    """Return the settings for the stage that the context names. Raises InvalidSetting.

    The key `stages` holds settings of single stages by the stage's name; `feeds`, there or outside, those of single
    feeds. Keys with a colon belong to the CDK. Every other key must be a setting: a misspelt key would otherwise deploy
    the default silently.
    """
    # Every stage is checked, whichever is deployed: an error in prod's settings is found before prod is deployed.
    stages = _parse_stages(context.get("stages", {}))
    given = {key: value for key, value in context.items() if ":" not in key and key not in _NOT_SETTINGS}
    outside = _parse_place(given, "", _TYPES)
    stage = outside.values.get("stage", Settings.stage)
    for name, of_stage in stages.items():
        _check(_combined(outside, of_stage, name), f"stages.{name}: ")
    of_stage = stages.get(stage, _NOTHING)
    if twice := sorted(of_stage.keys() & outside.keys()):
        names = ", ".join(twice)
        raise InvalidSetting(f"{names}: set for the stage {stage} and outside of it, in cdk.json or with -c: keep one")
    return _check(_combined(outside, of_stage, stage))


def _combined(outside: _Given, of_stage: _Given, stage: str) -> Settings:
    """The settings of a stage: what is given for a feed comes first, then what is given for the stage."""
    values = {**outside.values, **of_stage.values, "stage": stage}
    deployment = {key: value for key, value in values.items() if key in DEPLOYMENT_SETTINGS}
    for_all = {key: value for key, value in values.items() if key in FEED_SETTINGS}
    feeds = tuple(
        _feed(name, for_all, {**outside.feeds.get(name, {}), **of_stage.feeds.get(name, {})})
        for name in {**outside.feeds, **of_stage.feeds}
    )
    return Settings(**deployment, feeds=feeds or (_feed(DEFAULT_FEED, for_all, {}),))


def _feed(name: str, for_all: Mapping[str, Any], own: Mapping[str, Any]) -> FeedSettings:
    values = {**for_all, **own}
    if values.get("destination") == POSTGRESQL or values.get("file_index"):
        values.setdefault("reserved_concurrency", LOW_CONCURRENCY)
    return FeedSettings(name=name, **values, own=frozenset(own))


def _check(settings: Settings, where: str = "") -> Settings:
    """The settings, if their feeds can be deployed together."""
    if problem := next(problems(settings), None):
        raise InvalidSetting(where + problem)
    return settings


def _parse_stages(stages: Any) -> dict[str, _Given]:
    parsed = {}
    for name, given in _require_object(stages, "stages").items():
        _parse_value(STAGE_NAME, name, "stages: stage")
        parsed[name] = _parse_place(_require_object(given, f"stages.{name}"), f"stages.{name}.", _IN_STAGE)
    return parsed


def _parse_place(given: Mapping[str, Any], where: str, allowed: Collection[str]) -> _Given:
    return _Given(
        values=_parse({key: value for key, value in given.items() if key != "feeds"}, where, allowed),
        feeds=_parse_feeds(given.get("feeds", {}), f"{where}feeds"),
    )


def _parse_feeds(feeds: Any, where: str) -> dict[str, Mapping[str, Any]]:
    """The settings of each feed. On the command line, they are the text of the object."""
    parsed: dict[str, Mapping[str, Any]] = {}
    if isinstance(feeds, str):
        try:
            feeds = json.loads(feeds)
        except ValueError as error:
            raise InvalidSetting(f"setting {where} is not JSON, and the name of a file is not read: {error}") from error
    for name, given in _require_object(feeds, where).items():
        _parse_value(FEED_NAME, name, f"{where}: feed")
        parsed[name] = _parse(_require_object(given, f"{where}.{name}"), f"{where}.{name}.", FEED_SETTINGS)
    return parsed


def _parse(given: Mapping[str, Any], where: str, allowed: Collection[str]) -> dict[str, Any]:
    """Parse the values of settings. `where` precedes their keys in a message."""
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in allowed:
            raise InvalidSetting(f"unknown setting {where}{key}{_hint(key, allowed)}")
        values[key] = _parse_value(_TYPES[key], value, f"{where}{key}")
    return values


def _parse_value(type_: SettingType, value: Any, key: str) -> Any:
    try:
        return type_.parse(type_.text_of(value))
    except WrongJsonType as error:
        raise InvalidSetting(f"setting {key}={value!r}: allowed is {type_.allowed} (in cdk.json {error})") from error
    except InvalidColumn as error:
        raise InvalidSetting(f"setting {key}: {error}") from error
    except (ValueError, LookupError) as error:
        raise InvalidSetting(f"setting {key}={value!r}: allowed is {type_.allowed}") from error


def _hint(unknown: str, allowed: Collection[str]) -> str:
    if unknown in _TYPES:
        return f": {unknown} is a setting of the deployment, not of a stage or a feed"
    objects = [] if allowed is FEED_SETTINGS else ["feeds"] if "stage" not in allowed else ["feeds", "stages"]
    near = difflib.get_close_matches(unknown, [*allowed, *objects], n=1)
    there_are = ", ".join([name for name in _TYPES if name in allowed] + objects)
    return (f", did you mean {near[0]}?" if near else ".") + f" There are: {there_are}"


def _require_object(value: Any, key: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidSetting(f"setting {key}={value!r}: allowed is an object in cdk.json")
    return value
