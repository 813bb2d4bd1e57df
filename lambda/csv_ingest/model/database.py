"""Where a database is."""

from typing import NamedTuple


class Database(NamedTuple):
    """A PostgreSQL database, and how to log in."""

    host: str
    port: int
    name: str
    user: str
    secret: str
    """The ARN of the secret that has the password; empty for IAM authentication."""
    ca: str
    """The certificate, as PEM, of the authority that signed the server's; empty for those of RDS."""
