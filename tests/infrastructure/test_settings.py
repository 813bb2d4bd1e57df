"""What a user writes after `-c`, or into cdk.json."""

from dataclasses import asdict
from typing import Any

import pytest

from stacks.settings import InvalidSetting, Settings


@pytest.mark.parametrize(
    ("key", "given", "meant"),
    [
        ("stage", "prod", "prod"),
        ("id_column", "@line", "@line"),
        ("id_column", "Order No", "Order No"),
        ("delimiter", ";", ";"),
        ("delimiter", "tab", "\t"),
        ("delimiter", "semicolon", ";"),
        ("encoding", "UTF-8", "utf-8"),
        ("encoding", "latin-1", "iso8859-1"),
        ("key_prefix", "in/", "in/"),
        ("key_suffixes", ".csv", (".csv",)),
        ("key_suffixes", ".csv, .TXT", (".csv", ".TXT")),
        ("key_suffixes", [".csv", ".tsv"], (".csv", ".tsv")),
        ("timeout_seconds", "900", 900),
        ("timeout_seconds", 60, 60),
        ("memory_mb", "1024", 1024),
        ("reserved_concurrency", "5", 5),
        ("reserved_concurrency", "none", None),
        ("reserved_concurrency", None, None),
        ("max_write_units", "4000", 4000),
        ("alarm_email", "oncall@example.com", "oncall@example.com"),
        ("log_retention_days", "30", 30),
    ],
)
def test_a_setting_is_taken_from_the_command_line_or_from_cdk_json(key: str, given: Any, meant: Any) -> None:
    assert asdict(Settings.from_context({key: given})) == asdict(Settings()) | {key: meant}


@pytest.mark.parametrize(
    ("key", "given"),
    [
        ("stage", "Prod"),
        ("stage", ""),
        ("stage", "a" * 21),
        ("id_column", ""),
        ("id_column", "@row"),
        ("delimiter", ""),
        ("delimiter", "::"),
        ("delimiter", '"'),
        ("delimiter", "\n"),
        ("encoding", "utf-9"),
        ("encoding", "hex"),
        ("encoding", "unicode_escape"),
        ("encoding", "utf-7"),
        ("key_prefix", "My Uploads/"),
        ("id_column", None),
        ("key_prefix", None),
        ("key_prefix", "in*/"),
        ("key_suffixes", ""),
        ("key_suffixes", "csv"),
        ("key_suffixes", ".csv,.csv"),
        ("key_suffixes", ".csv,.orders.csv"),
        ("timeout_seconds", "901"),
        ("timeout_seconds", "half a minute"),
        ("timeout_seconds", "29.5"),
        ("memory_mb", "128"),
        ("reserved_concurrency", "0"),
        ("reserved_concurrency", "-1"),
        ("max_write_units", "0"),
        ("alarm_email", "oncall"),
        ("log_retention_days", "15"),
    ],
)
def test_a_setting_that_cannot_be_used_is_an_error_with_key_value_and_what_is_allowed(key: str, given: Any) -> None:
    with pytest.raises(InvalidSetting) as error:
        Settings.from_context({key: given})
    assert f"setting {key}={given!r}: allowed is " in str(error.value)


def test_a_misspelt_setting_is_an_error_and_not_the_default() -> None:
    with pytest.raises(
        InvalidSetting, match=r"unknown setting timeout_second, did you mean timeout_seconds\? There are: stage, "
    ):
        Settings.from_context({"timeout_second": "60"})
    with pytest.raises(InvalidSetting, match=r"unknown setting colour\. There are: stage, id_column, "):
        Settings.from_context({"colour": "blue"})


def test_what_the_cdk_keeps_in_the_context_is_not_ours() -> None:
    context = {"aws:cdk:bundling-stacks": [], "@aws-cdk/core:checkSecretUsage": True, "availability-zones:x": []}
    assert Settings.from_context(context) == Settings()
