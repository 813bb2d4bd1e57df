"""What the ledger records of where rows are: every release reads the same texts."""

import pytest

from csv_ingest.model import Target


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (Target(), ""),
        (Target(mode="merge"), "DynamoDB (merge)"),
        (Target("rows"), "DynamoDB:rows"),
        (Target("rows", "id-1", mode="merge"), "DynamoDB:rows:id-1 (merge)"),
        (Target("vendors", database="erp"), "erp/vendors"),
        (Target("s.vendors", database="DynamoDB", mode="merge"), "DynamoDB/s.vendors (merge)"),
    ],
)
def test_a_target_is_read_as_it_is_recorded(target: Target, text: str) -> None:
    assert (str(target), Target.parse(text)) == (text, target)
