"""What an error of PostgreSQL, or of the way to it, means, and what to do, without a word that can quote a row."""

import ssl

from botocore.exceptions import BotoCoreError
from pg8000.exceptions import DatabaseError

from csv_ingest.model import Database

_TRANSIENT = ("08", "25006", "40", "53", "55P03", "57")
"""How SQLSTATEs of errors begin that may pass: lost connections; read-only, as the former writer is after a failover;
deadlocks; resources; locks; shutdown. https://www.postgresql.org/docs/current/errcodes-appendix.html"""

CHECK = "`csv-ingest schema --check` says what to do"

_NO_POOLER = "is there a pooler before the server? it has to keep one connection for each session"

_ADVICE = {
    "28": "the login as {user} was refused: see `cannot log in` in docs/postgresql.md",
    "3D000": "there is no such database: see database_name",
    "26000": _NO_POOLER,
    "3F000": f"there is no such schema: {CHECK}",
    "42P01": f"there is no such table: {CHECK}",
    "42P05": _NO_POOLER,
    "42P10": f"the primary key is missing: {CHECK}",
    "42703": "a column is missing, of today's settings or of those by which the file was begun: add it to the table",
    "42501": f"a privilege is missing: {CHECK}",
    "23": f"the table refuses a row: {CHECK}",
    "25006": "the database is read-only: database_host has to be the endpoint of the writer",
    "53100": "the disk of the server is full",
    "53300": "no connection is left, on the server or for this user: see `too many connections` in docs/postgresql.md",
    "57014": "a statement took longer than statement_timeout, or was cancelled",
}
"""What to do, by how the SQLSTATE begins."""


def may_pass(error: Exception) -> bool:
    """Whether the same statement can succeed later, on a new connection."""
    if isinstance(error, DatabaseError):
        return _code(error).startswith(_TRANSIENT)
    return not isinstance(error, ssl.SSLCertVerificationError)


def describe(error: Exception, database: Database, user: str) -> str:
    """What happened and what to do. `user` is who logged in last: the secret can name another one than the database."""
    match error:
        case DatabaseError():
            return _describe_answer(error, user)
        case BotoCoreError():  # some are an OSError too
            return f"no password could be made or read for {database.user}: {type(error).__name__}"
        case ssl.SSLCertVerificationError():
            invalid = f"the certificate of {database.host} is not trusted: {error.verify_message}"
            return f"{invalid}: see TLS in docs/postgresql.md"
    return f"the connection to {database.host}:{database.port} failed: {type(error).__name__}"


def _describe_answer(error: DatabaseError, user: str) -> str:
    """The code of an error and what to do. Of the server's fields, only those that name parts of the schema."""
    code = _code(error)
    advice = next((text for start, text in _ADVICE.items() if code.startswith(start)), "")
    fields = error.args[0] if isinstance(error.args[0], dict) else {}
    names = [f"{kind} {fields[letter]}" for letter, kind in (("c", "column"), ("n", "constraint")) if letter in fields]
    return ": ".join(filter(None, [f"PostgreSQL answered {code}", ", ".join(names), advice.format(user=user)]))


def _code(error: DatabaseError) -> str:
    """The SQLSTATE of an error."""
    fields = error.args[0] if error.args else None
    return str(fields.get("C", "")) if isinstance(fields, dict) else ""
