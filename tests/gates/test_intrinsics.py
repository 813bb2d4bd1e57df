"""Which values are known before the deployment."""

from typing import Any

import pytest

from gates.template import InvalidTemplate
from gates.template.intrinsics import resolve

PARAMETERS = {
    "Name": {"Type": "String", "Default": "orders"},
    "Given": {"Type": "String"},
    "Arns": {"Type": "CommaDelimitedList", "Default": "a, b"},
    "Stored": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/where/it/is"},
}
CONDITIONS = {
    "IsOrders": {"Fn::Equals": [{"Ref": "Name"}, "orders"]},
    "IsOther": {"Fn::Not": [{"Condition": "IsOrders"}]},
    "Both": {"Fn::And": [{"Condition": "IsOrders"}, {"Condition": "IsOther"}]},
    "Either": {"Fn::Or": [{"Condition": "IsOrders"}, {"Condition": "IsOther"}]},
    "Here": {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-west-1"]},
}
MAPPINGS = {"Sizes": {"orders": {"memory": 512}}}


def resolved(value: Any) -> Any:
    resources = {"R": {"Type": "T", "Properties": {"value": value}}}
    template = {"Parameters": PARAMETERS, "Conditions": CONDITIONS, "Mappings": MAPPINGS, "Resources": resources}
    return resolve(template)["R"]["Properties"].get("value")


@pytest.mark.parametrize(
    ("value", "known"),
    [
        ({"Ref": "Name"}, "orders"),
        ({"Ref": "Given"}, "${Given}"),
        ({"Ref": "Arns"}, ["a", "b"]),
        ({"Ref": "Stored"}, "${Stored}"),
        ({"Ref": "AWS::Region"}, "${AWS::Region}"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "${Queue.Arn}"),
        ({"Fn::GetAtt": "Queue.Arn"}, "${Queue.Arn}"),
        ({"Fn::Sub": "${Queue.Arn}/${Name}/${!Literal}"}, "${Queue.Arn}/orders/${Literal}"),
        ({"Fn::Sub": ["${Here}-${Name}", {"Here": {"Ref": "Given"}}]}, "${Given}-orders"),
        ({"Fn::Join": ["", ["arn:aws:s3:::", {"Ref": "Name"}, "/*"]]}, "arn:aws:s3:::orders/*"),
        ({"Fn::Select": ["1", {"Ref": "Arns"}]}, "b"),
        ({"Fn::Select": [0, {"Fn::Split": ["-", "a-b"]}]}, "a"),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "Name"}, "memory"]}, 512),
        ({"Fn::If": ["IsOrders", 1, 2]}, 1),
        ({"Fn::If": ["IsOther", 1, 2]}, 2),
        ({"Fn::If": ["Both", 1, 2]}, 2),
        ({"Fn::If": ["Either", 1, 2]}, 1),
        ({"Fn::If": ["Here", 1, 2]}, 2),
        ({"Fn::If": ["IsOrders", {"Ref": "AWS::NoValue"}, 2]}, None),
        ([1, {"Ref": "AWS::NoValue"}, 2], [1, 2]),
    ],
)
def test_a_function_is_resolved_as_far_as_possible(value: Any, known: Any) -> None:
    assert resolved(value) == known


@pytest.mark.parametrize(
    "value",
    [
        {"Fn::ImportValue": "other-*"},
        {"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "memory"]},
        {"Fn::Select": [7, {"Ref": "Arns"}]},
        {"Fn::Split": [",", {"Ref": "Given"}]},
        {"Fn::Join": [",", {"Fn::GetAZs": "*"}]},
    ],
)
def test_an_unknown_value_is_stable_text_without_wildcards(value: Any) -> None:
    assert resolved(value) == resolved(value)
    assert resolved(value).startswith("${")
    assert "*" not in resolved(value)


def test_a_resource_with_a_false_condition_is_left_out() -> None:
    resources = {name: {"Type": "T", "Condition": name} for name in ("IsOrders", "IsOther")}
    found = resolve({"Parameters": PARAMETERS, "Conditions": CONDITIONS, "Resources": resources})
    assert list(found) == ["IsOrders"]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ([], "it has no Resources"),
        ({"Resources": []}, "it has no Resources"),
        ({"Resources": {"R": "x"}}, "the resource R has no Type"),
        ({"Resources": {"R": {"Type": "T", "Properties": {"x": {"Fn::Join": "x"}}}}}, 'Fn::Join cannot take "x"'),
    ],
)
def test_an_invalid_template_says_where_and_why(template: Any, message: str) -> None:
    with pytest.raises(InvalidTemplate) as error:
        resolve(template)
    assert str(error.value) == message
