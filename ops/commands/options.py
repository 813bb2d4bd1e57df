"""What several commands have in common: their options, and that they do not work against the brake."""

from collections.abc import Callable

import click

from ops import display
from ops.brake import PAUSED, is_paused
from ops.pipeline import Pipeline

Find = Callable[[], Pipeline]
"""Finds the pipeline. A command calls it after its options were checked."""

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON, for scripts.")

prefix = click.option("--prefix", default="", help="Only objects whose key begins with this.")

# A message that is being redriven stays hidden for five minutes, and ten of them are received together.
rate = click.option(
    "--rate", default=10.0, show_default=True, type=click.FloatRange(min=0.1), help="Deliveries a second, at most."
)

timeout = click.option(
    "--timeout", default=600, show_default=True, type=click.IntRange(min=0), help="Seconds to wait for the outcome."
)


def refuse_if_paused(pipeline: Pipeline) -> None:
    """End the command if the pipeline is paused: what it delivers would go straight to the failure queue."""
    if is_paused(pipeline):
        raise click.ClickException(f"{PAUSED}: nothing was done. To end the pause: {display.command('resume')}")
