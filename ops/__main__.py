"""`python -m ops VERB`."""

from .commands import main

main(prog_name="python -m ops")
