"""What becomes of a violation: acknowledged, found only under a condition, or in a template that is invalid."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gates.checks import check
from gates.template import InvalidTemplate
from gates.tests.cases import COMPLIANT, UNDECIDED, VIOLATING
from gates.tests.safe import ADDED, ADDED_NEXT, GONE, TODAY, allow, changed, resource

PRODUCTION = {
    "/Parameters.Env": {"Type": "String", "Default": "dev", "AllowedValues": ["dev", "prod"]},
    "/Conditions.Prod": {"Fn::Equals": [{"Ref": "Env"}, "prod"]},
}


class TestAcknowledgement:
    """A resource may break a rule if its metadata says why."""

    def acknowledged(self, id_: str, reason: Any) -> list[str | None]:
        rules = {"cdk_nag": {"rules_to_suppress": [{"id": "other", "reason": "x"}, {"id": id_, "reason": reason}]}}
        template = changed({"Ingest.MemorySize": GONE})
        template["Resources"]["Ingest"]["Metadata"] = rules
        return [finding.acknowledged for finding in check(template, today=TODAY)]

    def test_takes_the_rule_and_a_reason(self) -> None:
        assert self.acknowledged("gates::memory-explicit", "it is a test") == ["it is a test"]

    def test_may_be_the_template_s_own(self) -> None:
        template = changed({"/Transform": "OurMacro"})
        template["Metadata"] = {
            "cdk_nag": {"rules_to_suppress": [{"id": "gates::template-complete", "reason": "It adds tags."}]}
        }
        assert [finding.acknowledged for finding in check(template, today=TODAY)] == ["It adds tags."]

    def test_of_another_rule_or_tool_does_not_count(self) -> None:
        assert self.acknowledged("gates::async-timeout", "it is a test") == [None]
        assert self.acknowledged("memory-explicit", "it is a test") == [None]

    @pytest.mark.parametrize("reason", [" ", None, False, 0, [], {}])
    def test_without_a_reason_does_not_count(self, reason: Any) -> None:
        assert self.acknowledged("gates::memory-explicit", reason) == [""]


def test_a_finding_names_the_condition_it_depends_on() -> None:
    without_action = {"Fn::If": ["Prod", {"Ref": "AWS::NoValue"}, ["arn"]]}
    [finding] = check(changed({**PRODUCTION, "Failed.AlarmActions": without_action}), today=TODAY)
    assert finding.violation.detail == "no alarm with an action watches the queue Failures (if Env is 'prod')"


@pytest.mark.parametrize(
    "comparison",
    [
        [{"Ref": "Env"}, "prod"],
        [{"Ref": "AWS::Region"}, "eu-west-1"],
        [{"Ref": "Env"}, {"Ref": "Email"}],
        [{"Fn::FindInMap": ["Stages", {"Ref": "AWS::AccountId"}, "stage"]}, "prod"],
    ],
)
def test_a_resource_under_a_condition_is_checked(comparison: Any) -> None:
    template = changed(
        {**PRODUCTION, "/Conditions.Prod": {"Fn::Equals": comparison}, "Bad": resource("AWS::S3::Bucket")}
    )
    template["Resources"]["Bad"]["Condition"] = "Prod"
    assert {finding.violation.resource for finding in check(template, today=TODAY)} == {"Bad"}


def test_a_resource_that_no_deployment_has_is_not_checked() -> None:
    template = changed({"/Conditions.Never": {"Fn::Equals": ["a", "b"]}, "Bad": resource("AWS::S3::Bucket")})
    template["Resources"]["Bad"]["Condition"] = "Never"
    assert check(template, today=TODAY) == []


def test_another_allowed_value_decides_a_comparison() -> None:
    by_stage = {"Fn::FindInMap": ["Timeouts", {"Ref": "Env"}, "seconds"]}
    template = changed(
        {
            **PRODUCTION,
            "/Conditions.Prod": {"Fn::Equals": [{"Ref": "Env"}, "dev"]},
            "/Mappings": {"Timeouts": {"dev": {"seconds": 30}, "prod": {"seconds": 3}}},
            "Ingest.Timeout": by_stage,
        }
    )
    [finding] = check(template, today=TODAY)
    assert finding.violation.detail == "3 s (if Env is 'prod')"


def test_a_statement_has_its_number_in_the_template() -> None:
    only_in_production = {"Fn::If": ["Prod", allow("s3:GetObject", "arn:aws:s3:::a/b"), {"Ref": "AWS::NoValue"}]}
    changes = {**PRODUCTION, ADDED: only_in_production, ADDED_NEXT: allow("dynamodb:*", {"Fn::GetAtt": "Rows.Arn"})}
    [finding] = check(changed(changes), today=TODAY)
    assert finding.violation.path == "Policies.0.PolicyDocument.Statement.4"
    assert finding.violation.detail == "dynamodb:*"


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["${Uploads}", "${Ingest.Arn}", "${Unknown}", "*", "in/", "AWS/SQS", "Deny"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("Ref", "Fn::Sub", "Fn::Join", "Fn::If", "Fn::Select", "Fn::Split", "Fn::FindInMap", "Type", "x"),
                    *("Fn::Transform", "Fn::ForEach::Many", "Fn::ImportValue", "Fn::Equals", "Condition"),
                    *("anything-but", "prefix", "wildcard", "Name", "Metrics", "MetricStat", "Expression"),
                ]
            ),
            inner,
            max_size=2,
        )
    ),
    max_leaves=6,
)


CHANGES = [changes for _, _, changes in [*VIOLATING, *UNDECIDED, *COMPLIANT]]


@given(data=st.data(), value=anything)
def test_every_template_is_checked_or_called_invalid(data: st.DataObject, value: Any) -> None:
    template: Any = changed(data.draw(st.sampled_from(CHANGES)))
    parent = template
    while True:
        key = data.draw(st.sampled_from(sorted(parent) if isinstance(parent, dict) else range(len(parent))))
        if not (isinstance(parent[key], dict | list) and parent[key]) or data.draw(st.integers(0, 3)) == 0:
            break
        parent = parent[key]
    parent[key] = value
    try:
        check(template, today=TODAY)
    except InvalidTemplate as error:
        assert str(error)  # noqa: PT017  a template may be checked or be invalid
