"""The commands of the operators, as mails and the commands themselves advise them."""

from csv_ingest.escaping import shell_word

DEFAULT_STACK = "CsvIngest"
"""Which the commands take if none is named."""


def command(stack: str, *words: str, key: str = "") -> str:
    """A command for the reader to run next; `bash` reads each word as it was.

    `stack` is what `--stack` takes. `key` is the command's argument, if it has one.
    """
    options = [] if stack == DEFAULT_STACK else ["--stack", stack]
    argument = [] if not key else ["--", key] if key.startswith("-") else [key]
    return " ".join(["csv-ingest", *map(shell_word, [*options, *words, *argument])])
