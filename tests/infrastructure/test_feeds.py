"""A deployment of several feeds: what each has of its own, and what they share.

What a feed has alone is tested in the other files, with the feed `default`.
"""

import json
import re
from typing import Any, get_args

import pytest

from csv_ingest.feed import Feed
from csv_ingest.metrics import Metric
from local.processes import PROJECT
from tests.infrastructure.conftest import (
    ALARM,
    ALIAS,
    BUCKET,
    BUCKET_NOTIFICATIONS,
    EVENT_INVOKE_CONFIG,
    FUNCTION,
    LOG_GROUP,
    QUEUE,
    ROLE,
    SWEEP,
    TABLE,
    TOPIC,
    Synthesized,
    arn,
    but_versions,
    ingest_permissions,
    live,
    permissions_of,
    titles,
)
from tests.templates import readable

FEEDS: dict[str, dict[str, Any]] = {
    "orders": {
        "key_prefix": "orders/",
        "id_column": "order_id",
        "columns": {"price": "decimal", "Größe": "text as size"},
    },
    "acme-eu": {
        "key_prefix": "vendors/acme/",
        "key_suffixes": ".csv",
        "delimiter": "semicolon",
        "decimal_separator": "comma",
        "timeout_seconds": 300,
        "memory_mb": 1024,
        "reserved_concurrency": 7,
        "max_write_units": 500,
    },
}
SUFFIXES = {"orders": "Orders", "acme-eu": "AcmeEu"}

OF_A_FEED = {
    "RowsRejected",
    "IngestErrors",
    "Throttled",
    "SlowDeliveries",
    "EventsWaiting",
    "EventsDropped",
    "FailuresNotRecorded",
}
"""The alarms about a feed's own function."""

each_feed = pytest.mark.parametrize("feed", FEEDS)


@pytest.fixture(scope="module")
def two() -> Synthesized:
    return Synthesized(feeds=FEEDS)


def live_of(stack: Synthesized, feed: str) -> dict[str, Any]:
    return live(stack, f"IngestionIngest{SUFFIXES[feed]}")


def function_of(stack: Synthesized, feed: str) -> str:
    """The logical id of a feed's function."""
    return stack.id_of(FUNCTION, f"IngestionIngest{SUFFIXES[feed]}Function")


def variables(stack: Synthesized, function: str) -> dict[str, str]:
    found: dict[str, str] = readable(stack.all(FUNCTION)[function]["Properties"]["Environment"]["Variables"])
    return found


class TestEachFeed:
    @each_feed
    @pytest.mark.parametrize(
        ("kind", "name"),
        [
            (FUNCTION, "IngestionIngest{}Function"),
            (ROLE, "IngestionIngest{}Role"),
            (LOG_GROUP, "IngestionIngest{}Log"),
            (ALIAS, "IngestionIngest{}Live"),
            (EVENT_INVOKE_CONFIG, "IngestionIngest{}AsynchronousInvocationOfLive"),
            ("AWS::IAM::Policy", "IngestionDeliverParts{}"),
            (TABLE, "StorageRows{}"),
        ],
    )
    def test_has_one_of_its_own(self, two: Synthesized, feed: str, kind: str, name: str) -> None:
        assert two.only(kind, name.format(SUFFIXES[feed]))

    def test_is_read_as_its_settings_say(self, two: Synthesized) -> None:
        found = {feed: Feed.from_json(variables(two, function_of(two, feed))["FEED"]) for feed in FEEDS}
        assert found == {name: Feed.of_settings(name, settings) for name, settings in FEEDS.items()}

    def test_has_time_memory_and_concurrency_of_its_own(self, two: Synthesized) -> None:
        assert [
            tuple(
                two.all(FUNCTION)[function_of(two, feed)]["Properties"][name]
                for name in ("Timeout", "MemorySize", "ReservedConcurrentExecutions")
            )
            for feed in FEEDS
        ] == [(30, 512, 50), (300, 1024, 7)]

    def test_writes_to_a_table_with_its_limit(self, two: Synthesized) -> None:
        limits = {suffix: two.only(TABLE, f"StorageRows{suffix}")["Properties"] for suffix in SUFFIXES.values()}
        assert limits["AcmeEu"]["OnDemandThroughput"] == {"MaxWriteRequestUnits": 500}
        assert "OnDemandThroughput" not in limits["Orders"]

    @each_feed
    def test_has_logs_and_metrics_of_its_own(self, two: Synthesized, feed: str) -> None:
        assert variables(two, function_of(two, feed))["POWERTOOLS_SERVICE_NAME"] == f"CsvIngest/{feed}"

    @each_feed
    def test_may_use_only_its_own(self, two: Synthesized, feed: str) -> None:
        suffix = SUFFIXES[feed]
        expected = ingest_permissions(two, suffix, prefix=FEEDS[feed]["key_prefix"])
        assert permissions_of(two, f"IngestionIngest{suffix}Role") == expected

    def test_is_notified_of_uploads_below_its_prefix(self, two: Synthesized) -> None:
        configuration = two.only(BUCKET_NOTIFICATIONS)["Properties"]["NotificationConfiguration"]
        notified = [
            (each["LambdaFunctionArn"], {rule["Name"]: rule["Value"] for rule in each["Filter"]["Key"]["FilterRules"]})
            for each in configuration["LambdaFunctionConfigurations"]
        ]
        orders, acme = (live_of(two, feed) for feed in FEEDS)
        assert notified == [
            *((orders, {"prefix": "orders/", "suffix": suffix}) for suffix in (".csv", ".CSV", ".csv.gz")),
            (acme, {"prefix": "vendors/acme/", "suffix": ".csv"}),
        ]

    @each_feed
    def test_is_notified_once_its_failures_are_kept(self, two: Synthesized, feed: str) -> None:
        needed = {
            two.id_of(EVENT_INVOKE_CONFIG, f"Ingest{SUFFIXES[feed]}AsynchronousInvocationOfLive"),
            two.id_of("AWS::IAM::Policy", f"DeliverParts{SUFFIXES[feed]}"),
        }
        assert needed <= set(two.only(BUCKET_NOTIFICATIONS)["DependsOn"])

    @each_feed
    def test_is_invoked_only_by_the_bucket(self, two: Synthesized, feed: str) -> None:
        function = live_of(two, feed)
        permissions = [each["Properties"] for each in two.all("AWS::Lambda::Permission").values()]
        [permission] = [each for each in permissions if each["FunctionName"] == function]
        assert permission["SourceArn"] == arn(two.id_of(BUCKET))
        assert permission["SourceAccount"] == {"Ref": "AWS::AccountId"}


class TestAlarms:
    @each_feed
    def test_of_a_feed_name_it_and_watch_it(self, two: Synthesized, feed: str) -> None:
        watched = {str(readable({"Ref": function_of(two, feed)})), f"CsvIngest/{feed}"}
        for name in OF_A_FEED:
            alarm = two.only(ALARM, f"Monitoring{name}{SUFFIXES[feed]}")["Properties"]
            assert re.fullmatch(rf"Feed {feed}: [A-Z].*\. See {name} in docs/runbook\.md\.", alarm["AlarmDescription"])
            assert readable(alarm["Dimensions"][0]["Value"]) in watched
            assert alarm["AlarmActions"] == [{"Ref": two.id_of(TOPIC)}]

    def test_of_slow_deliveries_follow_each_timeout(self, two: Synthesized) -> None:
        limits = [two.only(ALARM, f"SlowDeliveries{suffix}")["Properties"]["Threshold"] for suffix in SUFFIXES.values()]
        assert limits == [pytest.approx(24_000), pytest.approx(240_000)]

    def test_of_what_is_shared_exist_once(self, two: Synthesized, stack: Synthesized) -> None:
        assert len(two.all(ALARM)) == len(stack.all(ALARM)) + len(OF_A_FEED)
        shared = {id_ for id_ in stack.all(ALARM) if not any(id_.startswith(f"Monitoring{name}") for name in OF_A_FEED)}
        assert {id_: two.all(ALARM)[id_] for id_ in shared} == {id_: stack.all(ALARM)[id_] for id_ in shared}


class TestShared:
    @pytest.mark.parametrize("kind", [BUCKET, QUEUE, TOPIC, "AWS::CloudWatch::Dashboard"])
    def test_resources_exist_once(self, two: Synthesized, kind: str) -> None:
        assert two.only(kind)

    def test_sweep_knows_every_feed(self, two: Synthesized) -> None:
        assert json.loads(variables(two, two.id_of(FUNCTION, SWEEP))["FEEDS"]) == {
            "orders": {
                "function": f"${{{function_of(two, 'orders')}}}",
                "prefix": "orders/",
                "suffixes": [".csv", ".CSV", ".csv.gz"],
            },
            "acme-eu": {
                "function": f"${{{function_of(two, 'acme-eu')}}}",
                "prefix": "vendors/acme/",
                "suffixes": [".csv"],
            },
        }

    def test_sweep_may_invoke_every_feeds_function(self, two: Synthesized) -> None:
        invoked = {each.resource for each in permissions_of(two, "SweepRole") if each.action == "lambda:InvokeFunction"}
        assert invoked == {readable(live_of(two, feed)) for feed in FEEDS}

    def test_sweep_has_a_whole_processor(self, two: Synthesized) -> None:
        properties = two.only(FUNCTION, SWEEP)["Properties"]
        assert (properties["MemorySize"], properties["ReservedConcurrentExecutions"]) == (1769, 1)

    def test_dashboard_has_rows_for_each_feed(self, two: Synthesized, stack: Synthesized) -> None:
        of_one = [title for title in titles(stack) if title != "Not settled"]
        assert titles(two) == [
            *("Not settled", "Failing sweeps", "Write capacity consumed by the ledger"),
            *(f"{feed}: {title}" for feed in FEEDS for title in of_one),
        ]


def test_costs_of_a_feed_are_documented(two: Synthesized, stack: Synthesized) -> None:
    alarms = len(two.all(ALARM)) - len(stack.all(ALARM))
    # The sweep publishes three metrics, for all feeds; one is of PostgreSQL, one of feeds that merge, one of `expect`.
    metrics = len(get_args(Metric)) - 6
    documented = (PROJECT / "docs" / "costs.md").read_text()
    assert f"{alarms} alarms at 0.10 and {metrics} metrics at 0.30" in documented
    assert f"adds {alarms * 0.10 + metrics * 0.30:.2f} per month" in documented


def test_outputs_end_in_the_suffix_of_the_feed(two: Synthesized) -> None:
    outputs = two.template["Outputs"]
    assert set(outputs) == {
        "UploadBucketName",
        "RowsTableNameOrders",
        "RowsTableNameAcmeEu",
        "FilesTableName",
        "FailureQueueUrl",
        "IngestFunctionNameOrders",
        "IngestFunctionNameAcmeEu",
        "AlarmTopicArn",
        "ReaderPolicyArn",
        "OperatorPolicyArn",
        "UploaderPolicyArnOrders",
        "UploaderPolicyArnAcmeEu",
        "IgnoredPrefixes",
        "ExistingBucket",
        "SweepFunctionName",
        "NotifierFunctionName",
        "Release",
    }
    for feed, suffix in SUFFIXES.items():
        assert outputs[f"IngestFunctionName{suffix}"]["Value"] == {"Ref": function_of(two, feed)}
        assert outputs[f"RowsTableName{suffix}"]["Value"] == {"Ref": two.id_of(TABLE, f"StorageRows{suffix}")}


def test_default_beside_others_keeps_what_it_had(stack: Synthesized) -> None:
    """So that a feed can be added to a running deployment."""
    more = Synthesized(feeds={"default": {"key_prefix": "in/"}, "orders": {"key_prefix": "orders/"}})
    before, after = but_versions(stack), but_versions(more)
    assert before.keys() <= after.keys()
    unchanged = (TABLE, BUCKET, QUEUE, TOPIC, LOG_GROUP, EVENT_INVOKE_CONFIG)
    for id_, resource in before.items():
        assert after[id_]["Type"] == resource["Type"]
        if resource["Type"] in unchanged:
            assert after[id_] == resource
    outputs = more.template["Outputs"]
    assert {name: outputs[name] for name in stack.template["Outputs"]} == stack.template["Outputs"]
    assert after[more.id_of(ALARM, "IngestErrors7")]["Properties"]["AlarmDescription"].startswith("Feed default: ")
