"""The settings that a deployment would have."""

import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from stacks.settings import InvalidSetting, Settings, written


@click.command(epilog="Example: python -m stacks -c stage=prod -c memory_mb=1024")
@click.option("-c", "--context", "pairs", multiple=True, metavar="KEY=VALUE", help="As for cdk deploy.")
def main(pairs: tuple[str, ...]) -> None:
    """Show every setting with its value, as `cdk deploy` would use it here with the same options, and what is allowed.

    Exit code 0, or 1 if a setting cannot be used.
    """
    try:
        context = _saved("cdk.context.json") | (_saved("cdk.json").get("context") or {})
        settings = Settings.from_context(context | dict(pair.partition("=")[::2] for pair in pairs))
    except InvalidSetting as error:
        sys.exit(f"csv-ingest: {error}")
    click.echo(f"The settings of {settings.stack_id}:")
    for each in fields(Settings):
        value, default = written(getattr(settings, each.name)), written(each.default)
        click.secho(f"\n{each.name}={value}", bold=True, nl=False)
        click.echo(f"  (default: {default})" if value != default else "")
        click.echo(f"    {each.metadata['doc']}\n    Allowed: {each.metadata['kind'].allowed}.")


def _saved(name: str) -> dict[str, Any]:
    """A file of the CDK in this project; nothing if there is none."""
    try:
        found: dict[str, Any] = json.loads((Path(__file__).parents[1] / name).read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise InvalidSetting(f"{name} is not JSON: {error}") from error
    return found


if __name__ == "__main__":
    main(prog_name="python -m stacks")
