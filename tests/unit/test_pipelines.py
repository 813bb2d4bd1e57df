"""A pipeline is found by its stack, or by its construct where a stack has several."""

import pytest

from ops.pipeline import NotDeployed, Pipeline

NAMES = (
    "UploadBucketName",
    "FilesTableName",
    "FailureQueueUrl",
    "AlarmTopicArn",
    "IngestFunctionName",
    "RowsTableName",
)


def outputs(*constructs: str) -> dict[str, str]:
    return {f"{construct}{name}": f"{construct or 'the only one'}/{name}" for construct in constructs for name in NAMES}


@pytest.mark.parametrize(
    ("constructs", "name", "found"),
    [
        ([""], "Shop", "the only one"),
        ([""], "Shop.Ingest", "the only one"),
        (["Orders", "Stock"], "Shop.Orders", "Orders"),
        (["Orders", "OrdersOfStock"], "Shop.Orders", "Orders"),
        (["OrdersIngest"], "Shop.Orders.Ingest", "OrdersIngest"),
    ],
)
def test_a_name_leads_to_one(constructs: list[str], name: str, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr("ops.pipeline._outputs", lambda stack: outputs(*constructs) if stack == "Shop" else {})
    pipeline = Pipeline.find(name)
    assert (pipeline.stack, pipeline.upload_bucket) == ("Shop", f"{found}/UploadBucketName")
    assert [feed.function for feed in pipeline.feeds] == [f"{found}/IngestFunctionName"]


@pytest.mark.parametrize(
    ("constructs", "name", "said"),
    [
        (["Orders", "Stock"], "Shop", "several pipelines: name one, Shop.Orders or Shop.Stock"),
        (["Orders", "Stock"], "Shop.Order", "several pipelines: name one, Shop.Orders or Shop.Stock"),
        ([], "Shop", "it is another project's, or an old one"),
    ],
)
def test_a_name_that_leads_nowhere_is_explained(
    constructs: list[str], name: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr("ops.pipeline._outputs", lambda _stack: outputs(*constructs))
    with pytest.raises(NotDeployed, match=said):
        Pipeline.find(name)
