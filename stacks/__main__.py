"""`python -m stacks` shows the settings that a deployment would have."""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import Field
from pathlib import Path
from typing import Any

import click

from .context import InvalidSetting, settings_from_context
from .settings import DEPLOYMENT_SETTINGS, FEED_SETTINGS


@click.command(epilog="Example: python -m stacks -c stage=prod -c memory_mb=1024")
@click.option("-c", "--context", "pairs", multiple=True, metavar="KEY=VALUE", help="As for cdk deploy.")
def main(pairs: tuple[str, ...]) -> None:
    """Show every setting with the value that `cdk deploy` would use with the same options, and what is allowed.

    Exit code 0, or 1 if a setting cannot be used.
    """
    try:
        settings = settings_from_context(_context_of_files() | dict(pair.partition("=")[::2] for pair in pairs))
    except InvalidSetting as error:
        sys.exit(f"csv-ingest: {error}")
    feeds = f", with the feeds {', '.join(feed.name for feed in settings.feeds)}" if settings.names_feeds else ""
    click.echo(f"The settings of {settings.stack_id}{feeds}:")
    for name, setting in DEPLOYMENT_SETTINGS.items():
        _show(setting, {name: getattr(settings, name)})
    for name, setting in FEED_SETTINGS.items():
        values = {f"feeds.{feed.name}.{name}": (vars(feed) | vars(feed.format))[name] for feed in settings.feeds}
        # What all feeds have is shown once.
        _show(setting, values if len(set(values.values())) > 1 else {name: next(iter(values.values()))})


def _show(setting: Field[Any], values: Mapping[str, Any]) -> None:
    """Show the values of a setting by their keys, then what it is."""
    type_, doc = setting.metadata["type"], setting.metadata["doc"]
    default = type_.to_text(setting.default)
    click.echo()
    for key, value in values.items():
        text = type_.to_text(value)
        click.secho(f"{key}={text}", bold=True, nl=False)
        click.echo(f"  (default: {default})" if text != default else "")
    without_links = re.sub(r"\[(.+?)\]\(.+?\)", r"\1", doc)
    click.echo(f"    {without_links}\n    Allowed: {type_.allowed}.")


def _context_of_files() -> dict[str, Any]:
    """The context that the CDK's command line reads from the project's files; cdk.json takes precedence."""
    context = _read_json("cdk.json").get("context")
    return _read_json("cdk.context.json") | (context if isinstance(context, dict) else {})


def _read_json(name: str) -> dict[str, Any]:
    """Return the content of one of the project's files, or nothing if there is no such file."""
    try:
        content: dict[str, Any] = json.loads((Path(__file__).parents[1] / name).read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise InvalidSetting([name], f" is not JSON: {error}") from error
    return content


if __name__ == "__main__":
    main(prog_name="python -m stacks")
