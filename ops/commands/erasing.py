"""Why `reload` and `forget` cannot take something back."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from csv_ingest.errors import OtherTable, OwnerNeeded, TableAltered
from ops.erasing import NotErasable


@contextmanager
def named(key: str) -> Iterator[None]:
    """End the command with the key and the reason, if the block cannot take back what was ingested of it."""
    try:
        yield
    except (NotErasable, OtherTable, TableAltered) as reason:
        raise click.ClickException(f"{key}: {reason}") from reason
    except OwnerNeeded as statement:
        raise click.ClickException(
            f"{key}: only the owner of the table can delete its rows: as the owner, run `{statement}`, then this "
            "command again: meanwhile, no delivery stores a row of it"
        ) from statement
