"""The feed of the environment, as a deployment sets it."""

import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import boto3

from csv_ingest.feed import FORMAT_SETTINGS, Feed
from local.postgresql import LocalPostgresql


def feed_now() -> Feed:
    """The feed that the environment configures."""
    return Feed.from_json(os.environ["FEED"])


def with_settings(feed: Feed, settings: Mapping[str, Any]) -> Feed:
    """The same feed with other settings, those of the format among them."""
    of_format = {name: value for name, value in settings.items() if name in FORMAT_SETTINGS}
    others = {name: value for name, value in settings.items() if name not in FORMAT_SETTINGS}
    return replace(feed, format=replace(feed.format, **of_format), **others)


def set_feed(**settings: Any) -> None:
    """Deploy the feed that the environment configures with other settings, until the end of the test."""
    os.environ["FEED"] = with_settings(feed_now(), settings).to_json()


ROLE, PASSWORD = "csv_ingest", "a password of the tests"


def database_settings(server: LocalPostgresql, table: str) -> dict[str, Any]:
    """The settings that lead to a table on a server. The password is in a secret, as on AWS."""
    secret = boto3.client("secretsmanager").create_secret(
        Name=uuid.uuid4().hex, SecretString=json.dumps({"password": PASSWORD})
    )["ARN"]
    return {
        "destination": "postgresql",
        "database_host": "127.0.0.1",
        "database_port": server.port,
        "database_name": server.database,
        "database_user": ROLE,
        "database_table": table,
        "database_secret": secret,
        "database_ca": server.ca,
        "subnets": ["subnet-12345678"],
        "security_groups": ["sg-12345678"],
    }
