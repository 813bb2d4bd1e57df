"""Builds the function's package where there is a network, for a synthesis where there is none.

`python -m csv_ingest_cdk.package FOLDER`; in a checkout, `python -m stacks.package FOLDER`.
"""

import shutil
from pathlib import Path

import click

from .bundling import PACKAGE, SOURCE, bundle


@click.command(epilog="Example: python -m csv_ingest_cdk.package build/function")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    """Build the function's package in FOLDER, which is emptied first if it holds an earlier one, and nothing else.

    Exit codes: 0 it is there; 1 it could not be built; 2 the command was called wrongly.
    """
    if folder.exists() and any(folder.iterdir()):
        # The source alone is no package, and where the wheel is installed is much more than one.
        is_package = all((folder / name).is_dir() for name in (SOURCE.name, "aws_lambda_powertools"))
        if not is_package or folder.resolve() == SOURCE.parent or (folder / "pip").exists():
            raise click.BadParameter(f"{folder} holds something else than a package of the function: name another one")
        shutil.rmtree(folder)
    try:
        bundle(SOURCE, folder)
    except RuntimeError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Built: cdk synth -c {PACKAGE}={folder}")


if __name__ == "__main__":
    main(prog_name=f"python -m {__spec__.name}")
