"""Reads the settings from CDK context: `cdk deploy -c stage=prod -c alarm_email=oncall@example.com`, or cdk.json.

Values from the command line are text. Values from cdk.json are JSON.
"""

import difflib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csv_ingest.feed import Feed
from csv_ingest.settings import NAME, InvalidSetting, SettingType

from .limits import problems
from .settings import DEPLOYMENT_SETTINGS, FEED_SETTINGS, Settings

__all__ = ["InvalidSetting", "settings_from_context"]

_TYPES: Mapping[str, SettingType] = {
    name: setting.metadata["type"] for name, setting in (DEPLOYMENT_SETTINGS | FEED_SETTINGS).items()
}
_IN_STAGE = _TYPES.keys() - {"stage"}

# `stages` is read by itself; the CDK's command line keeps the others in cdk.context.json.
_NOT_SETTINGS = {"stages", "acknowledged-issue-numbers", "cli-telemetry"}

_REMOVED = ("vpc_endpoints", "route_tables")


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
        try:
            _combined(outside, of_stage, name)
        except InvalidSetting as error:
            raise InvalidSetting(error.names, error.problem, before=f"stages.{name}: {error.before}") from error
    of_stage = stages.get(stage, _NOTHING)
    if twice := sorted(of_stage.keys() & outside.keys()):
        raise InvalidSetting(twice, f": set for the stage {stage} and outside of it, in cdk.json or with -c: keep one")
    return _combined(outside, of_stage, stage)


def _combined(outside: _Given, of_stage: _Given, stage: str) -> Settings:
    """The settings of a stage: what is given for a feed comes first, then what is given for the stage."""
    values = {**outside.values, **of_stage.values, "stage": stage}
    deployment = {key: value for key, value in values.items() if key in DEPLOYMENT_SETTINGS}
    for_all = {key: value for key, value in values.items() if key in FEED_SETTINGS}
    feeds = tuple(
        _feed(name, {**outside.feeds.get(name, {}), **of_stage.feeds.get(name, {})}, for_all)
        for name in {**outside.feeds, **of_stage.feeds}
    )
    settings = Settings(**deployment, feeds=feeds or (Feed.of_settings(Feed.name, for_all),))
    for problem in problems(
        settings.feeds,
        service=settings.stack_id,
        ignored_prefixes=settings.ignored_prefixes,
        existing_bucket=settings.existing_bucket,
        keep_files_days=settings.keep_files_days,
    ):
        raise InvalidSetting([], problem)
    return settings


def _feed(name: str, own: Mapping[str, Any], for_all: Mapping[str, Any]) -> Feed:
    try:
        return Feed.of_settings(name, own, for_all)
    except InvalidSetting as error:
        raise error.below(f"feeds.{name}.") from error


def _parse_stages(stages: Any) -> dict[str, _Given]:
    parsed = {}
    for name, given in _require_object(stages, "stages").items():
        NAME.read("stages: stage", name)
        parsed[name] = _parse_place(_require_object(given, f"stages.{name}"), f"stages.{name}.", _IN_STAGE)
    return parsed


def _parse_place(given: Mapping[str, Any], where: str, allowed: Collection[str]) -> _Given:
    return _Given(
        values=_parse({key: value for key, value in given.items() if key != "feeds"}, where, allowed),
        feeds=_parse_feeds(given.get("feeds", {}), f"{where}feeds"),
    )


def _parse_feeds(feeds: Any, where: str) -> dict[str, Mapping[str, Any]]:
    """The settings of each feed. A text is the JSON of the object, or `@` and the name of a file that has it."""
    parsed: dict[str, Mapping[str, Any]] = {}
    if isinstance(feeds, str):
        try:
            text = Path(feeds.removeprefix("@")).read_text("utf-8") if feeds.startswith("@") else feeds
            feeds = json.loads(text)
        except (OSError, ValueError) as error:
            # The CDK's command line cuts a value at its first line end.
            problem = f" is not the JSON of one line, nor @ and the name of a file with JSON: {error}"
            raise InvalidSetting([where], problem, before="setting ") from error
    for name, given in _require_object(feeds, where).items():
        NAME.read(f"{where}: feed", name)
        parsed[name] = _parse(_require_object(given, f"{where}.{name}"), f"{where}.{name}.", FEED_SETTINGS)
    return parsed


def _parse(given: Mapping[str, Any], where: str, allowed: Collection[str]) -> dict[str, Any]:
    """Parse the values of settings. `where` precedes their keys in a message."""
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in allowed:
            raise InvalidSetting([where + key], _hint(key, allowed), before="unknown setting ")
        values[key] = _TYPES[key].read(where + key, value)
    return values


def _hint(unknown: str, allowed: Collection[str]) -> str:
    if unknown in _REMOVED:
        return ": remove it, and create the endpoints that the VPC needs yourself: see Network in docs/postgresql.md"
    if unknown in _TYPES:
        return f": {unknown} is a setting of the deployment, not of a stage or a feed"
    objects = [] if allowed is FEED_SETTINGS else ["feeds"] if "stage" not in allowed else ["feeds", "stages"]
    near = difflib.get_close_matches(unknown, [*allowed, *objects], n=1)
    there_are = ", ".join([name for name in _TYPES if name in allowed] + objects)
    return (f", did you mean {near[0]}?" if near else ".") + f" There are: {there_are}"


def _require_object(value: Any, key: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidSetting([key], f"={value!r}: allowed is an object in cdk.json", before="setting ")
    return value
