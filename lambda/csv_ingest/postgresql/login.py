"""Who logs in to a PostgreSQL database, and with which password: that of a secret, or a token of IAM."""

import json
from functools import cache
from typing import Any, NamedTuple

import boto3
from botocore.model import ServiceId
from botocore.signers import RequestSigner

from csv_ingest import clients
from csv_ingest.model import Database, RowsNotWritten


class Login(NamedTuple):
    """Who logs in, and with which password."""

    user: str
    password: str


def login_of(database: Database) -> Login:
    """The user and the password of the database's secret, or its user and a token of IAM, which is signed here.

    A rotation with alternating users changes the `username` of the secret as well. A secret without one has the
    password of the database's user. Raises botocore's errors if the secret cannot be read, and RowsNotWritten if it has
    no password.
    https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotation-strategy.html#rotating-secrets-two-users
    """
    if not database.secret:
        return Login(database.user, iam_token(database))
    secret = clients.secretsmanager().get_secret_value(SecretId=database.secret)
    try:
        content = json.loads(secret["SecretString"])
        password: str = content["password"]
        named = content.get("username")
        user: str = named if named and isinstance(named, str) else database.user
        (user + password).encode()
    except (AttributeError, KeyError, TypeError, ValueError):
        # Not the error itself: it can quote the secret.
        raise RowsNotWritten(f"the secret {database.secret} is no JSON object with a password") from None
    return Login(user, password)


def iam_token(database: Database) -> str:
    """A password that is good for 15 minutes, as boto3's `generate_db_auth_token` makes it, without its RDS client.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html
    """
    session = _session()
    credentials: Any = session.get_credentials()
    signer: Any = RequestSigner(ServiceId("rds-db"), session.region_name, "rds-db", "v4", credentials, session.events)
    request = {
        "method": "GET",
        "url": f"https://{database.host}:{database.port}/?Action=connect&DBUser={database.user}",
        "body": {},
        "headers": {},
        "context": {},
    }
    url: str = signer.generate_presigned_url(
        request_dict=request, operation_name="connect", region_name=session.region_name, expires_in=900
    )
    return url.removeprefix("https://")


@cache
def _session() -> boto3.Session:
    """The session that signs, and renews its credentials by itself; to make one costs 7 ms of CPU time."""
    return boto3.Session()
