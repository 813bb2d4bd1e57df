"""`pause` and `resume`."""

import click

from ops import display
from ops.brake import pause, resume
from ops.commands.options import Find


@click.command(name="pause", epilog="Example: python -m ops pause")
@click.pass_obj
def pause_command(find: Find) -> None:
    """Start no delivery until `resume`: the emergency brake."""
    pause(find())
    display.say("Paused. Events that arrive now go to the failure queue at once, without retries, and raise its alarm.")
    display.say(f"To end the pause: {display.command('resume')}")
    display.say(f"After it, deliver these events: {display.command('redrive', '--wait')}")


@click.command(name="resume", epilog="Example: python -m ops resume && python -m ops redrive")
@click.pass_obj
def resume_command(find: Find) -> None:
    """End the pause: release the brake.

    The reserved concurrency is what the stack says, again.
    """
    reserved = resume(find())
    reservation = "no reservation" if reserved is None else f"a reserved concurrency of {reserved}"
    display.say(f"Resumed, with {reservation}.")
    display.say(f"Deliver what arrived meanwhile: {display.command('redrive', '--wait')}")
