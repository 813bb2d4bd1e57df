"""Managed policies for people, and other accounts that upload. tests/e2e/test_people.py has what each verb calls."""

import json
import re
from collections import defaultdict
from typing import Any

import pytest

from local.processes import PROJECT
from tests.infrastructure.conftest import KEY, Synthesize, Synthesized, statements
from tests.permissions import allowed
from tests.templates import readable

MANAGED = "AWS::IAM::ManagedPolicy"
WORDS = {
    r"\$\{AWS::StackId\}": "the stack",
    r"\$\{StorageUploads\w+\.Arn\}/\*": "objects of a feed",
    r"\$\{StorageUploads\w+\.Arn\}": "the upload bucket",
    r"\$\{StorageFiles\w+\.Arn\}/index/.*": "the index of the files table",
    r"\$\{StorageFiles\w+\.Arn\}": "the files table",
    r"\$\{StorageRows\w+\.Arn\}/index/.*": "the index of a rows table",
    r"\$\{StorageRows\w+\.Arn\}": "a rows table",
    r"\$\{IngestionFailures\w+\.Arn\}": "the failure queue",
    r"\$\{IngestionIngestLive\w+\}": "a feed's function, alias `live`",
    r"\$\{IngestionIngestFunction\w+\.Arn\}": "a feed's function",
    r"\$\{(IngestionSweep|MonitoringNotifier)Live\w+\}": "sweep and notifier, alias `live`",
    r"\*": "all",
}


def policies(stack: Synthesized) -> dict[str, Any]:
    return {id_: readable(each)["Properties"]["PolicyDocument"] for id_, each in stack.all(MANAGED).items()}


def in_words(resource: str) -> str:
    return next(word for pattern, word in WORDS.items() if re.fullmatch(pattern, resource))


def test_the_documented_table_is_what_they_allow(synthesize: Synthesize) -> None:
    """Of a feed that merges, with an index by file: that needs most."""
    rows = []
    for id_, document in policies(synthesize(write_mode="merge", file_index=True)).items():
        actions = defaultdict(set)
        for permission in allowed(document["Statement"]):
            actions[in_words(permission.resource)].add(f"`{permission.action}`")
        who = re.findall("Reader|Operator|Uploader", id_)[0]
        rows += [f"| {who} | {on} | {', '.join(sorted(found))} |" for on, found in actions.items()]
    page = (PROJECT / "docs" / "reference.md").read_text().partition("\n## Who may do what\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| (?:Reader|Operator|Uploader) \|.*\|$", page, flags=re.MULTILINE) == rows


def test_many_feeds_with_long_names_fit() -> None:
    """IAM counts 6,144 characters without spaces. An ARN has at most 120 beside the name of the stack."""
    feeds = {
        f"f{n}": {"key_prefix": f"{n}{'p' * 196}/", "key_suffixes": [".csv"], "write_mode": "merge", "file_index": True}
        for n in range(9)
    }
    found = policies(Synthesized(feeds=feeds))
    assert len([id_ for id_ in found if "Uploader" not in id_]) == 4
    texts = [json.dumps(document, separators=(",", ":")) for document in found.values()]
    assert max(len(re.sub(r"\$\{[^}]*\}", "x" * 120, text)) for text in texts) <= 6_144


def test_a_key_is_used_through_its_services_only(synthesize: Synthesize) -> None:
    of_key = [each for document in policies(synthesize(kms_key=KEY)).values() for each in document["Statement"]]
    of_key = [each for each in of_key if each["Resource"] == KEY]
    assert len(of_key) == 5
    assert all("kms:ViaService" in each["Condition"]["StringEquals"] for each in of_key)


def test_other_accounts_may_upload_below_a_prefix(synthesize: Synthesize) -> None:
    accounts = ["111122223333", "444455556666"]
    stack = synthesize(key_prefix="in/", upload_accounts=",".join(accounts))
    [granted] = [
        each for each in readable(statements(stack.only("AWS::S3::BucketPolicy"))) if each["Effect"] == "Allow"
    ]
    principals = [f"arn:${{AWS::Partition}}:iam::{account}:root" for account in accounts]
    assert granted["Principal"] == {"AWS": principals}
    assert granted["Action"] == ["s3:AbortMultipartUpload", "s3:PutObject"]
    assert granted["Resource"].endswith(".Arn}/in/*")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"upload_accounts": "1234"}, "setting upload_accounts='1234': allowed is numbers of AWS accounts"),
        (
            {"upload_accounts": ",".join(map(str, range(10**11, 10**11 + 101)))},
            "upload_accounts: the feeds have 101 in all, and the policy of a bucket has room for 100",
        ),
        (
            {"upload_accounts": "111122223333", "existing_bucket": "theirs"},
            "feeds.default.upload_accounts: the policy of a bucket of yours stays yours",
        ),
    ],
)
def test_other_accounts_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Synthesized(**settings)
