"""A pytest plugin: the fixture `least_privilege` fails a test in which a function called what its role may not.

No engine here knows IAM, so that a call without a permission would succeed in every test, and fail on AWS. The roles'
policies are those of the template's snapshot.
"""

import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.client import BaseClient

from csv_ingest.configuration import IngestConfig
from csv_ingest.feed import Feed
from csv_ingest.modes import MERGE
from local.processes import PROJECT
from tests.infrastructure.snapshot import MERGE_SNAPSHOT, POSTGRESQL_SNAPSHOT, SNAPSHOT
from tests.permissions import Permission, allowed, needed, refused
from tests.templates import statements_of

MERGING = "IngestRole, which merges"
"""Also of a feed whose rows expire: test_functions compares the two."""
EXISTING = "IngestRole, of an existing table"
RETURNING = "NotifierRole, which returns rejected rows"
_INGESTING = ("IngestRole", "IngestVendorsRole", MERGING, EXISTING)
"""IngestVendorsRole is that of a PostgreSQL feed."""
FOR_DAYS = ", with a ledger for some days"
ROLES = (*_INGESTING, *(f"{role}{FOR_DAYS}" for role in _INGESTING), "SweepRole", "NotifierRole", RETURNING)
ARNS = {
    r"arn:aws:s3:::w[0-9a-f]{32}|\$\{StorageUploads\w+\.Arn\}(/vendors)?": "uploads",
    r"arn:aws:dynamodb:.*-rows(-[\w-]+)?|\$\{StorageRows\w+\.Arn\}": "rows",
    r"arn:aws:dynamodb:.*-files|\$\{StorageFiles\w+\.Arn\}": "files",
    r"arn:aws:sqs:.*|\$\{IngestionFailures\w+\.Arn\}": "failures",
    r"arn:aws:lambda:.*:ingest(-\w+)?:live|\$\{IngestionIngest(Vendors)?Live\w+\}": "ingest",
    r"arn:aws:lambda:.*:notifier:live|\$\{MonitoringNotifierLive\w+\}": "notifier",
    r"arn:aws:secretsmanager:.*": "secret",
    r"arn:(aws|\$\{AWS::Partition\}):events:.*": "bus",
    r"arn:aws:sns:.*|\$\{MonitoringAlarmTopic\w+\}": "topic",
}
"""Resources of the integration tests, and of the stack: the same word stands for what is the same to a policy."""


@pytest.fixture
def least_privilege(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Record what the functions call during a test, and compare it with their policies at its end."""
    called: dict[str, set[Permission]] = {role: set() for role in ROLES}
    original = BaseClient._make_api_call  # type: ignore[attr-defined]

    def recording(self: Any, operation: str, params: dict[str, Any]) -> Any:
        if role := _role_of_caller():
            called[role] |= set(map(_in_words, needed(self.meta.service_model.service_name, operation, params)))
        return original(self, operation, params)

    monkeypatch.setattr(BaseClient, "_make_api_call", recording)
    yield
    assert {role: refused(calls, _policy_of(role)) for role, calls in called.items()} == {role: [] for role in ROLES}


def _role_of_caller() -> str | None:
    """The role in which a call would be made on AWS; None if a test or an operator's command makes it."""
    files = list(_callers())
    # The tests and the operator's commands use modules of the function. The sweep alone shares the operators' view of
    # the ledger and of the bucket.
    if "lambda/csv_ingest/sweeping/run.py" in files or "lambda/csv_ingest/sweep.py" in files:
        return "SweepRole"
    if "lambda/csv_ingest/notifier.py" in files:
        return RETURNING if "lambda/csv_ingest/notices/returns.py" in files else "NotifierRole"
    shared = ("lambda/csv_ingest/ledger/table.py", "lambda/csv_ingest/ledger/sweeps.py", "lambda/csv_ingest/ignored.py")
    by_operator = any(file.startswith("ops/") or file in shared for file in files)
    # No file of this project is on the stack of the threads in which boto3 uploads a file.
    if not files or not files[0].startswith("lambda/csv_ingest/") or by_operator:
        return None
    config = IngestConfig.from_environment()
    return f"{_role_of(config.feed)}{FOR_DAYS if config.keep_files_days else ''}"


def _role_of(feed: Feed) -> str:
    if feed.is_postgresql:
        return "IngestVendorsRole"
    if feed.rows_table:
        return EXISTING
    return MERGING if feed.mode is MERGE or feed.keep_rows_days else "IngestRole"


def _callers() -> Iterator[str]:
    """The files of this project through which the recorder was called, from the nearest outwards."""
    frame = sys._getframe()
    while frame := frame.f_back:  # type: ignore[assignment]
        if file := _in_project(frame.f_code.co_filename):
            yield file


@cache
def _in_project(name: str) -> str | None:
    """The path of a file within this project; None for this file, and for files of other projects."""
    file = Path(name)
    if not file.is_relative_to(PROJECT) or file == Path(__file__):
        return None
    inside = file.relative_to(PROJECT)
    return None if inside.parts[0].startswith(".venv") else inside.as_posix()


@cache
def _in_words(permission: Permission) -> Permission:
    resource = permission.resource
    for pattern, word in ARNS.items():
        resource = re.sub(pattern, word, resource)
    return Permission(permission.action, resource)


@cache
def _policy_of(role: str) -> frozenset[Permission]:
    """What a role of the stack may do."""
    if role.endswith(FOR_DAYS):
        return _policy_of(role.removesuffix(FOR_DAYS)) | {Permission("dynamodb:PartiQLDelete", "files")}
    resources = yaml.safe_load(SNAPSHOT.read_text())
    if role in ("IngestVendorsRole", RETURNING):
        resources |= yaml.safe_load(POSTGRESQL_SNAPSHOT.read_text())
    if role in (MERGING, EXISTING):
        resources |= yaml.safe_load(MERGE_SNAPSHOT.read_text())
    name = role.partition(",")[0]
    statements = [each for each in statements_of(name, resources) if each["Effect"] == "Allow"]
    # Those feeds log in by IAM in the snapshot, and by a secret here.
    login = {Permission("secretsmanager:GetSecretValue", "secret")} if role == "IngestVendorsRole" else set()
    describe = {Permission("dynamodb:DescribeTable", "rows")} if role == EXISTING else set()
    return frozenset({_in_words(permission) for permission in allowed(statements)} | login | describe)
