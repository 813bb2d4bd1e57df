"""Each stage is a stack of its own, and others rely on its outputs."""

from typing import Any

import pytest

from stacks.settings import Settings
from tests.infrastructure.conftest import BUCKET, LOG_GROUP, QUEUE, Synthesize, Synthesized


@pytest.mark.parametrize(
    ("stage", "name"), [("dev", "CsvIngest"), ("prod", "CsvIngest-prod"), ("qa-2", "CsvIngest-qa-2")]
)
def test_each_stage_is_a_stack_of_its_own(stage: str, name: str) -> None:
    assert Settings(stage=stage).stack_id == name


def kept(synthesize: Synthesize, kind: str) -> list[Any]:
    return list(synthesize(stage="prod").all(kind).values())


@pytest.mark.parametrize("kind", [BUCKET, QUEUE, LOG_GROUP])
def test_data_outlives_the_stack_in_production(synthesize: Synthesize, kind: str) -> None:
    """Unless its first deployment fails. The tables do, also then: see test_storage.py."""
    policies = {(each["DeletionPolicy"], each["UpdateReplacePolicy"]) for each in kept(synthesize, kind)}
    assert policies == {("RetainExceptOnCreate", "Retain")}
    assert {found["DeletionPolicy"] for found in synthesize().all(kind).values()} == {"Delete"}


def test_the_outputs_are_the_promised_names(stack: Synthesized) -> None:
    assert set(stack.template["Outputs"]) == {
        "UploadBucketName",
        "RowsTableName",
        "FilesTableName",
        "FailureQueueUrl",
        "IngestFunctionName",
        "ReaderPolicyArn",
        "OperatorPolicyArn",
        "UploaderPolicyArn",
        "AlarmTopicArn",
        "IgnoredPrefixes",
        "ExistingBucket",
        "SweepFunctionName",
        "NotifierFunctionName",
        "Release",
    }
