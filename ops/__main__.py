"""`csv-ingest VERB`; in a checkout also `python -m ops VERB`."""

from .commands import main

main(prog_name="csv-ingest")
