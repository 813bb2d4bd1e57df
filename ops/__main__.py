"""`python -m ops VERB`."""

from ops.commands import main

main(prog_name="python -m ops")
